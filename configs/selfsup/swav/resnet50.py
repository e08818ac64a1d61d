"""SwAV, ResNet-50, ImageNet (arXiv:2006.09882). 64 GPUs x 64 = 4096 images a step, 800 epochs, no queue. 4.089e9 FLOPs.

Published: 75.3 linear top-1 (benchmarks/linear_classification/imagenet/swav.py); here: not yet measured. The
published rate starts its cosine after the warm-up of 10 epochs, here the warm-up multiplies it; the release
normalises by a standard deviation of 0.228 in red, here 0.229, as everywhere else; its BatchNorms see 8 GPUs, here
all. With 8 GPUs a step takes 8 batches, and codes come from 512 images: resnet50_bs256.py is the recipe for few.
"""

_base_ = [
    '../../_base_/datasets/imagenet_multi_crop_swav.py',
    '../../_base_/models/imagenet.py',
    '../../_base_/runtime_imagenet.py',
]
model = dict(
    type='SwAV',
    backbone=dict(type='TorchvisionResNet', depth=50),
    head=dict(
        type='PrototypeHead',
        projector=dict(type='MLP', in_channels=2048, widths=[2048, 128]),
        prototypes=3000,
        temperature=0.1,
        epsilon=0.05,
        sinkhorn_iterations=3,
    ),
    global_crops=2,
    local_crops=6,
)
sync_bn = True
global_batch_size = 4096
optim_wrapper = dict(
    type='OptimWrapper', precision='fp16', optimizer=dict(type='LARS', lr=4.8, momentum=0.9, weight_decay=1e-6)
)
schedules = dict(lr=dict(target='lr', curve='cosine', end=0.0048, by='iter', warmup_epochs=10, warmup_ratio=0.3 / 4.8))
train_cfg = dict(type='EpochLoop', max_epochs=800)
custom_hooks = [dict(type='PrototypeHook', frozen_iterations=313)]
