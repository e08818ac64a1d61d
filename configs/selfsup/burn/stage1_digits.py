"""BURN, stage 1 on the digits: binary activations, real weights."""

_base_ = [
    '../../_base_/datasets/digits_two_views.py',
    '../../_base_/models/burn_digits.py',
    '../../_base_/runtime.py',
    '../../_base_/schedules/adamw_digits.py',
]
model = dict(backbone=dict(conv_cfg=dict(type='BinaryConv2d', activation=dict(type='ApproxSign'))))
optim_wrapper = dict(optimizer=dict(lr=5e-3))
train_cfg = dict(type='EpochLoop', max_epochs=55)
