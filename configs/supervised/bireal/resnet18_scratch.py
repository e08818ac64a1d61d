"""Bi-Real-18 from scratch, ImageNet (arXiv:1808.00278), as released. 8 GPUs x 64 = 512 images a step, 256 epochs.

1.378e8 FLOPs, 1.640e8 OPs. Published: 56.4/79.5 top-1/top-5; here: not yet measured. Adam, label smoothing,
lighting noise; the rate goes with the batch. The gradient of the weights is clipped and not scaled by mean|w|, as
in this PyTorch release; the paper's, magnitude-aware, is in resnet18_stepwise_binary.py. Weights start as in it too:
binary ones in U(0, 0.001), so that every sign begins at +1 and 38 % of them flip in the first step (Kaiming: 1.3 %).
"""

_base_ = [
    '../../_base_/datasets/imagenet_supervised.py',
    '../../_base_/models/imagenet.py',
    '../../_base_/runtime_imagenet.py',
    '../../_base_/schedules/adam_linear_imagenet.py',
]
model = dict(
    type='Classifier',
    backbone=dict(type='ResNet', init='torch_positive'),  # binary by default
    head=dict(type='LinearHead', num_classes=1000, in_channels=512, label_smoothing=0.1, init='torch'),
)
