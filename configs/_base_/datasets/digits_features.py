"""Digits for the evaluation of features: plain training images are the bank, plain test images the query."""

val_dataloader = dict(
    batch_size=512,
    num_workers=0,
    drop_last=False,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='whole_batch'),
    dataset=dict(type='BankAndQuery', bank=dict(type='Digits', split='train'), query=dict(type='Digits', split='test')),
)
test_dataloader = val_dataloader
