"""Bi-Real-34 from scratch, ImageNet (arXiv:1808.00278), as released. 8 GPUs x 64 = 512 images a step, 256 epochs.

1.378e8 FLOPs, 1.929e8 OPs. Published: 62.2/83.9 top-1/top-5; here: not yet measured.
"""

_base_ = ['./resnet18_scratch.py']
model = dict(backbone=dict(depths=[6, 8, 12, 6]))
