"""ReCU (arXiv:2103.12369): clamped weights, scaled activations, learned output scales, one convolution a shortcut.

tau begins where its schedule does: schedules/recu.py. How costs are counted: models/moco_imagenet.py.
"""

_base_ = ['./imagenet.py']
model = dict(
    type='Classifier',
    backbone=dict(
        type='ResNet',
        activation='Hardtanh',
        conv_cfg=dict(
            type='BinaryConv2d',
            activation=dict(type='UnitVarianceSign'),
            weight=dict(type='RectifiedSign', tau=0.85),
            scale=dict(type='ChannelScale'),
        ),
    ),
    neck=dict(type='PoolMLP', in_channels=512, pool_norm='BN'),
    head=dict(type='LinearHead', num_classes=1000, in_channels=512),
)
