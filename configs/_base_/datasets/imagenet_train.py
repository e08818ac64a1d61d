"""ImageNet's training images; a child says how many to a batch and what its views are.

The model normalises: ../models/imagenet.py.
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
