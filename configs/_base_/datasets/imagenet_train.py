"""ImageNet's training images; a child says how many to a batch and what its views are.

The model normalises, by mean (123.675, 116.28, 103.53) and std (58.395, 57.12, 57.375).
"""

train_dataloader = dict(
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type='EpochSampler', shuffle=True),
    collate_fn=dict(type='whole_batch'),
    dataset=dict(type='ImageNet', split='train'),
)
