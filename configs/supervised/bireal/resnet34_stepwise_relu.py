"""Bi-Real-34 step by step, 1 of 5, ImageNet (arXiv:1808.00278): a real network, ReLU in place of the sign.

8 GPUs x 32 = 256 images a step, 90 epochs. 1.378e8 FLOPs, 1.929e8 OPs once binary. Published, after all five:
62.2/83.9 top-1/top-5; here: not yet measured. Unverified: as in resnet18_stepwise_relu.py.
"""

_base_ = ['./resnet18_stepwise_relu.py']
model = dict(backbone=dict(depths=[6, 8, 12, 6]))
