"""SimSiam on the digits, step 1: binary activations, real weights."""

_base_ = [
    '../../_base_/datasets/digits_two_views.py',
    '../../_base_/models/reactnet_digits.py',
    '../../_base_/runtime.py',
    '../../_base_/schedules/adamw_digits.py',
]
model = dict(
    type='SimSiam',
    backbone=dict(conv_cfg=dict(_delete_=True, type='BinaryConv2d', activation=dict(type='ApproxSign'))),
    head=dict(
        type='LatentPredictionHead',
        projector=dict(
            type='MLP', in_channels=128, widths=[128, 128], bias=False, last_norm=True, last_norm_affine=False
        ),
        predictor=dict(type='MLP', in_channels=128, widths=[32, 128], bias=False, last_bias=True),
    ),
)
sync_bn = True
optim_wrapper = dict(optimizer=dict(lr=5e-3))
schedules = dict(lr=dict(target='lr', curve='cosine', end=0.0, by='iter', warmup_epochs=1, warmup_ratio=0.01))
train_cfg = dict(type='EpochLoop', max_epochs=36)
