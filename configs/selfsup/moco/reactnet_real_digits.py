"""MoCo v2 on the digits with the real-valued twin: the extractor that BURN's digits configs learn from.

Linear / k-NN / 1 label a class, seed 0: 98.3 / 90.6 / 60.4 on held-out training images, 94.7 / 90.3 / 60.7 on the test
images (bash tools/quickstart.sh).
Here: 94.9 linear, 90.3 k-NN, mean of 3 seeds (benchmarks/RESULTS.md).
"""

_base_ = [
    '../../_base_/datasets/digits_two_views.py',
    '../../_base_/models/reactnet_digits.py',
    '../../_base_/runtime.py',
    '../../_base_/schedules/adamw_cosine_digits.py',
]
model = dict(
    type='MoCo',
    backbone=dict(conv_cfg=dict(type='Conv2d', _delete_=True)),
    head=dict(
        type='ContrastiveHead',
        projector=dict(type='MLP', in_channels=128, widths=[128, 64], norm=None),
        temperature=0.2,
    ),
    teacher=dict(type='MomentumTeacher', momentum=0.99),
    queue_length=512,
)
schedules = dict(momentum=dict(target='teacher.momentum', curve='cosine', start=0.99, end=1.0))
train_cfg = dict(type='EpochLoop', max_epochs=55)
