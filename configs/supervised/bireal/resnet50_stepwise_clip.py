"""Bi-Real-50 step by step, 3 of 5, ImageNet (arXiv:1811.01335): clip to [-1, 1] in place of the leaky clip.

8 GPUs x 32 = 256 images a step, 20 epochs. 5.696e8 FLOPs, 6.258e8 OPs once binary. Published, after all five:
62.6/83.9 top-1/top-5; here: not yet measured. Unverified: as in resnet50_stepwise_relu.py.
"""

_base_ = ['./resnet18_stepwise_clip.py']
model = dict(backbone=dict(type='TwoStreamResNet'), head=dict(in_channels=2048))
load_from = 'work_dirs/supervised/bireal/resnet50_stepwise_leaky_clip/weights.pth'
