"""Digits with labels: augmented training images, plain test images."""

train_dataloader = dict(
    batch_size=128,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='EpochSampler', shuffle=True),
    collate_fn=dict(type='whole_batch'),
    dataset=dict(
        type='Digits',
        split='train',
        views=[dict(type='DigitsAugment', degrees=20.0, translate=0.2, scale=(0.8, 1.2), shear=10.0)],
    ),
)
val_dataloader = dict(
    batch_size=360,
    num_workers=0,
    drop_last=False,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='whole_batch'),
    dataset=dict(type='Digits', split='test'),
)
test_dataloader = val_dataloader
