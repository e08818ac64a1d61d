"""SimSiam, ResNet-50, ImageNet (arXiv:2011.10566). 8 GPUs x 64 = 512 images a step, 100 epochs. 4.089e9 FLOPs.

Published: 68.1 linear top-1 (benchmarks/linear_classification/imagenet/simsiam.py), with a predictor whose rate does
not decay; here: not yet measured. The release starts residual branches at zero, here they start as any other.
"""

_base_ = [
    '../../_base_/datasets/imagenet_two_views_moco.py',
    '../../_base_/models/imagenet.py',
    '../../_base_/runtime_imagenet.py',
]
model = dict(
    type='SimSiam',
    backbone=dict(type='TorchvisionResNet', depth=50),
    head=dict(
        type='LatentPredictionHead',
        projector=dict(
            type='MLP', in_channels=2048, widths=[2048, 2048, 2048], bias=False, last_norm=True, last_norm_affine=False
        ),
        predictor=dict(type='MLP', in_channels=2048, widths=[512, 2048], bias=False, last_bias=True),
    ),
)
train_dataloader = dict(batch_size=64)
sync_bn = True
global_batch_size = 512
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.05 / 256 * 512, momentum=0.9, weight_decay=1e-4),
    paramwise_cfg=dict(fixed_lr=['head.predictor']),
)
schedules = dict(lr=dict(target='lr', curve='cosine', end=0.0, by='epoch'))
train_cfg = dict(type='EpochLoop', max_epochs=100)
