"""Finetuning on the digits: the whole network learns from all labels of the training images."""

_base_ = ['../linear_classification/digits.py']
model = dict(head=dict(_delete_=True, type='LinearHead', num_classes=None), frozen=[])
train_dataloader = dict(
    dataset=dict(views=[dict(type='DigitsAugment', degrees=10.0, translate=0.125, scale=(0.9, 1.1))])
)
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=1e-4),
    paramwise_cfg=dict(lr_mult=dict(head=10)),
)
