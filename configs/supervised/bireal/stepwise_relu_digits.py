"""Bi-Real Net step by step on the digits, 1 of 5: a real network, ReLU in place of the sign; SGD.

Here: 97.8 top-1, mean of 3 seeds (benchmarks/RESULTS.md).
"""

_base_ = ['../../_base_/models/imagenet.py', '../../_base_/supervised_digits.py']
model = dict(
    type='Classifier',
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(
        type='ResNet',
        widths=[16, 32, 64],
        depths=[1, 1, 1],
        stem='small',
        input_size=8,
        conv_cfg=dict(type='BinaryConv2d', activation=dict(type='ReLU')),
    ),
    head=dict(type='LinearHead', num_classes=10, in_channels=64),
)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4))
schedules = dict(lr=dict(target='lr', curve='step', milestones=[20, 30], gamma=0.1))
train_cfg = dict(type='EpochLoop', max_epochs=40)
