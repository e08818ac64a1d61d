"""MoCo v2, ResNet-50, ImageNet: the real-valued teacher of S2-BNN and extractor of BURN.

8 GPUs x 32 = 256 images a step, 800 epochs. 4.089e9 FLOPs. Published (arXiv:2003.04297): 71.1 linear top-1
(benchmarks/linear_classification/imagenet/moco.py); here: not yet measured.
"""

_base_ = [
    '../../_base_/datasets/imagenet_two_views_moco.py',
    '../../_base_/models/moco_imagenet.py',
    '../../_base_/runtime_imagenet.py',
    '../../_base_/schedules/moco_imagenet.py',
]
model = dict(
    backbone=dict(_delete_=True, type='TorchvisionResNet', depth=50),
    head=dict(projector=dict(in_channels=2048, widths=[2048, 128])),
)
train_cfg = dict(type='EpochLoop', max_epochs=800)
