"""BYOL, ResNet-50, ImageNet (arXiv:2006.07733). 64 GPUs x 64 = 4096 images a step, 1000 epochs. 4.089e9 FLOPs.

Published: 74.3 linear top-1; here: not yet measured. With 8 GPUs a step takes 8 batches, and each BatchNorm sees 512
images where the paper's saw 4096. Biases and norms have neither decay nor LARS's adaptation.
"""

_base_ = [
    '../../_base_/datasets/imagenet_two_views_byol.py',
    '../../_base_/models/imagenet.py',
    '../../_base_/runtime_imagenet.py',
]
model = dict(
    type='BYOL',
    backbone=dict(type='TorchvisionResNet', depth=50),
    head=dict(
        type='LatentPredictionHead',
        projector=dict(type='MLP', in_channels=2048, widths=[4096, 256]),
        predictor=dict(type='MLP', in_channels=256, widths=[4096, 256]),
    ),
    teacher=dict(type='MomentumTeacher', momentum=0.996),
)
sync_bn = True
global_batch_size = 4096
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='LARS', lr=0.2 / 256 * 4096, momentum=0.9, weight_decay=1.5e-6),
    paramwise_cfg=dict(decay='weights'),
)
schedules = dict(
    lr=dict(target='lr', curve='cosine', end=0.0, by='iter', warmup_epochs=10),
    momentum=dict(target='teacher.momentum', curve='cosine', start=0.996, end=1.0),
)
train_cfg = dict(type='EpochLoop', max_epochs=1000)
