"""Bi-Real-18 step by step, 1 of 5, ImageNet (arXiv:1808.00278): a real network, ReLU in place of the sign.

8 GPUs x 32 = 256 images a step, 90 epochs. 1.378e8 FLOPs, 1.640e8 OPs once binary. Published, after all five:
56.4/79.5 top-1/top-5; here: not yet measured. Published: "the hyper-parameter settings in ResNet" and crops without
rescaling. Unverified, so: torchvision's 90 epochs, x0.1 at 30 and 60, and its initialisation (Kaiming, fan out).
"""

_base_ = [
    '../../_base_/datasets/imagenet_fixed_scale.py',
    '../../_base_/models/imagenet.py',
    '../../_base_/runtime_imagenet.py',
]
model = dict(
    type='Classifier',
    backbone=dict(type='ResNet', conv_cfg=dict(type='BinaryConv2d', activation=dict(type='ReLU'))),
    head=dict(type='LinearHead', num_classes=1000, in_channels=512, init='torch'),
)
global_batch_size = 256
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4))
schedules = dict(lr=dict(target='lr', curve='step', milestones=[30, 60], gamma=0.1))
train_cfg = dict(type='EpochLoop', max_epochs=90)
