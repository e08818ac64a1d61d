"""XNOR-Net, ResNet-18, ImageNet (arXiv:1603.05279): Bi-Real Net's baseline. 8 GPUs x 32 = 256 images a step, 58 epochs.

1.378e8 FLOPs, 1.640e8 OPs. Published: 51.2/73.4 top-1/top-5 by Bi-Real Net's paper (its own: 51.2/73.2); here: not
yet measured. A shortcut around each two convolutions, projected; BatchNorm, sign, convolution in this order. Left
out: the map of scales of the inputs (by the paper worth under 1 point) and the part of the weights' gradient that
goes through mean|w|. The shorter side is drawn from 256 to 480 px, here in steps of 32. Unverified, for the ResNet's
code is not published: the optimiser (SGD, for its rate of 0.1), decay, how weights start, and what normalises the
sums, here nothing.
"""

_base_ = [
    '../../_base_/datasets/imagenet_linear.py',
    '../../_base_/models/imagenet.py',
    '../../_base_/runtime_imagenet.py',
]
model = dict(
    type='Classifier',
    backbone=dict(
        type='ResNet',
        depths=[2, 2, 2, 2],
        convs_per_shortcut=2,
        shortcut='conv',
        conv_cfg=dict(
            type='BinaryConv2d',
            activation=dict(type='BoxSign'),
            weight=dict(type='ScaledSign', ste='clip', scale_gradient=True),
        ),
    ),
    head=dict(type='LinearHead', num_classes=1000, in_channels=512),
)
train_dataloader = dict(
    num_workers=8,
    dataset=dict(
        views=[
            [
                dict(type='torchvision/RandomShortestSize', min_size=[256, 288, 320, 352, 384, 416, 448, 480]),
                dict(type='torchvision/RandomCrop', size=224),
                dict(type='torchvision/RandomHorizontalFlip'),
            ]
        ]
    ),
)
global_batch_size = 256
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4))
schedules = dict(lr=dict(target='lr', curve='step', milestones=[30, 40], gamma=0.01))
train_cfg = dict(type='EpochLoop', max_epochs=58)
