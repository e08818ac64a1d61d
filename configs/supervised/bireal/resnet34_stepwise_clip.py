"""Bi-Real-34 step by step, 3 of 5, ImageNet (arXiv:1808.00278): clip to [-1, 1] in place of the leaky clip.

8 GPUs x 32 = 256 images a step, 20 epochs. 1.378e8 FLOPs, 1.929e8 OPs once binary. Published, after all five:
62.2/83.9 top-1/top-5; here: not yet measured. Unverified: as in resnet18_stepwise_clip.py.
"""

_base_ = ['./resnet18_stepwise_clip.py']
model = dict(backbone=dict(depths=[6, 8, 12, 6]))
load_from = 'work_dirs/supervised/bireal/resnet34_stepwise_leaky_clip/weights.pth'
