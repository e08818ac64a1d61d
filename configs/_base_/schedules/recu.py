"""ReCU's schedules (arXiv:2103.12369), by epoch: the rate's warm-up and cosine, and tau of every binary convolution.

lr(e) = lr (e + 1) / 5 for e < 5, then lr / 2 (1 + cos(pi (e - 4) / (E - 4))); tau(e) = A exp(e / E) + B from 0.85 to
0.99. Other rates of its command line: dict(_delete_=True, target='lr', curve='step', milestones=[...]) or
dict(curve='linear').
"""

schedules = dict(
    lr=dict(
        target='lr',
        curve='cosine',
        end=0.0,
        by='epoch',
        begin_epoch=4,
        warmup_epochs=4,
        warmup_ratio=0.2,
        warmup_by='epoch',
    ),
    tau=dict(target='backbone.*.tau', curve='exponential', start=0.85, end=0.99, by='epoch'),
)
