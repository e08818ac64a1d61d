"""Bi-Real-50 step by step, 1 of 5, ImageNet (arXiv:1811.01335): a real network, ReLU in place of the sign.

8 GPUs x 32 = 256 images a step, 90 epochs. 5.696e8 FLOPs, 6.258e8 OPs once binary. Published, after all five:
62.6/83.9 top-1/top-5; here: not yet measured. Unverified: that Bi-Real-50 was trained so (in all five steps);
settings are those of 34.
"""

_base_ = ['./resnet18_stepwise_relu.py']
model = dict(backbone=dict(type='TwoStreamResNet'), head=dict(in_channels=2048))
