"""k-NN accuracy on the digits while a network trains without labels: a second base of a config.

The last fifth of the training images is looked for among the others; the test images stay out of it.
"""

val_dataloader = dict(
    batch_size=512,
    num_workers=0,
    drop_last=False,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='whole_batch'),
    dataset=dict(
        type='BankAndQuery',
        bank=dict(type='Digits', split='fit'),
        query=dict(type='Digits', split='held_out'),
    ),
)
val_cfg = dict()
val_evaluator = [dict(type='KNNAccuracy')]
