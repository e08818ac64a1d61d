"""Digits, two augmented views of each training image. Pixels 0..255; the model scales them to [-1, 1]."""

_VIEW = dict(type='DigitsAugment', degrees=20.0, translate=0.2, scale=(0.8, 1.2), shear=10.0)

train_dataloader = dict(
    batch_size=128,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='EpochSampler', shuffle=True),
    collate_fn=dict(type='whole_batch'),
    dataset=dict(type='Digits', split='train', views=[_VIEW] * 2),
)
