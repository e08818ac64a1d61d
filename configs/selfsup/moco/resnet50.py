"""MoCo v2, ResNet-50, ImageNet: the real-valued extractor of BURN. 8 GPUs x 32 = 256 images a step, 800 epochs.

Published (arXiv:2003.04297): 71.1 linear top-1; here: not yet measured.
"""

_base_ = ['../../_base_/datasets/imagenet_two_views_moco.py', '../../_base_/runtime.py']
model = dict(
    type='MoCo',
    data_preprocessor=dict(type='ImageNormalizer', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(type='TorchvisionResNet', depth=50),
    head=dict(
        type='ContrastiveHead',
        projector=dict(type='MLP', in_channels=2048, widths=[2048, 128], norm=None),
        temperature=0.2,
    ),
    teacher=dict(type='MomentumTeacher', momentum=0.999),
    queue_length=65536,
)
sync_bn = True  # in place of shuffled BatchNorm: neither lets a key be told by its batch
global_batch_size = 256
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.03, momentum=0.9, weight_decay=1e-4))
schedules = dict(lr=dict(target='lr', curve='cosine', end=0.0, by='epoch'))
train_cfg = dict(type='EpochLoop', max_epochs=800)
env_cfg = dict(cudnn_benchmark=True)
