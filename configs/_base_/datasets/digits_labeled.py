"""Digits with labels: augmented training images, plain test images."""

_base_ = ['./digits_one_view.py']
val_dataloader = dict(
    batch_size=360,
    num_workers=0,
    drop_last=False,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='whole_batch'),
    dataset=dict(type='Digits', split='test'),
)
test_dataloader = val_dataloader
