"""ReCU in two stages on the digits, stage 1: binary activations, real weights; a real twin's soft labels alone.

Here, after step 2: 97.2 top-1, mean of 3 seeds (benchmarks/RESULTS.md).
"""

_base_ = ['../../_base_/models/imagenet.py', '../../_base_/schedules/recu.py', '../../_base_/supervised_digits.py']

_PLAN = dict(type='ResNet', widths=[16, 32, 64], depths=[1, 1, 1], stem='small', shift=True, activation='RPReLU')
_HEAD = dict(type='LinearHead', num_classes=10, in_channels=64)

model = dict(
    type='Classifier',
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(
        **_PLAN,
        input_size=8,
        conv_cfg=dict(type='BinaryConv2d', activation=dict(type='UnitVarianceSign'), scale=dict(type='ChannelScale')),
    ),
    head=_HEAD,
    teacher=dict(
        type='FrozenTeacher',
        backbone=dict(**_PLAN, input_size=8, conv_cfg=dict(type='Conv2d')),
        head=_HEAD,
        checkpoint='work_dirs/supervised_digits/seed0/resnet_real/weights.pth',
    ),
)
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='Adam', lr=5e-3, weight_decay=1e-5), paramwise_cfg=dict(decay='four_axes')
)
schedules = dict(tau=None)
train_cfg = dict(type='EpochLoop', max_epochs=60)
how_to_get = dict(
    teacher='make it with: python tools/run_recipe.py configs/recipes/supervised_digits.py --full --until resnet_real'
)
