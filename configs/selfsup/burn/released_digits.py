"""BURN on the digits as the release computes it, in one stage (PAPERS: gradients of the signs, L_FS on the outputs, g frozen)."""

_base_ = ['./single_stage_digits.py']
model = dict(
    backbone=dict(
        conv_cfg=dict(
            _delete_=True,
            type='BinaryConv2d',
            activation=dict(type='BoxSign'),
            weight=dict(type='ScaledSign', ste='identity', scale_gradient=True),
        )
    ),
    head=dict(feature_similarity='outputs'),
    train_target_head=False,
)
