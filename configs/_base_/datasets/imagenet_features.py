"""ImageNet for the evaluation of features: plain training images are the bank, validation images queries."""

val_dataloader = dict(
    batch_size=64,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=False,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='whole_batch'),
    dataset=dict(
        type='BankAndQuery',
        bank=dict(type='ImageNet', split='train', labeled=True),
        query=dict(type='ImageNet', split='val', labeled=True),
    ),
)
test_dataloader = val_dataloader
