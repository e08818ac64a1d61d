"""Bi-Real-34 step by step, 5 of 5, ImageNet (arXiv:1808.00278): weights at +-1, BatchNorms alone learn.

8 GPUs x 128 = 1024 images a step, 1 epoch. 1.378e8 FLOPs, 1.929e8 OPs. Published, after all five: 62.2/83.9
top-1/top-5; here: not yet measured. Unverified: as in resnet18_stepwise_norms.py.
"""

_base_ = ['./resnet18_stepwise_norms.py']
model = dict(backbone=dict(depths=[6, 8, 12, 6]))
train_dataloader = dict(batch_size=128)
global_batch_size = 1024
optim_wrapper = dict(optimizer=dict(lr=8e-4))
load_from = 'work_dirs/supervised/bireal/resnet34_stepwise_binary/weights.pth'
