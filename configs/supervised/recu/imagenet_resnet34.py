"""ReCU, ResNet-34, ImageNet (arXiv:2103.12369): binary from the start. 8 GPUs x 64 = 512 images a step, 200 epochs.

1.378e8 FLOPs, 1.929e8 OPs. Published: 65.10/85.78 top-1/top-5; here: not yet measured.
"""

_base_ = ['./imagenet_resnet18.py']
model = dict(backbone=dict(depths=[6, 8, 12, 6]))
