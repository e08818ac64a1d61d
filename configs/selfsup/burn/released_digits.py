"""BURN on the digits as its released code has it, in one stage: its start and gradients, outputs compared, g frozen.

Here: not yet measured.
"""

_base_ = ['./single_stage_digits.py']
model = dict(
    backbone=dict(
        init='kaiming_fan_in',
        conv_cfg=dict(
            _delete_=True,
            type='BinaryConv2d',
            activation=dict(type='BoxSign'),
            weight=dict(type='ScaledSign', ste='identity', scale_gradient=True),
        ),
    ),
    head=dict(feature_similarity='outputs', projector=dict(init='kaiming')),
    target_head=dict(init='kaiming'),
    train_target_head=False,
)
