"""BURN stage 1 as its released code has it (but with gradients): frozen target head, outputs compared, clipped sign.

Here: not yet measured.
"""

_base_ = ['./stage1.py']
model = dict(
    backbone=dict(conv_cfg=dict(activation=dict(type='BoxSign'))),
    head=dict(feature_similarity='outputs', feature_channels=None),
    train_target_head=False,
)
