"""Bi-Real-50 step by step, 5 of 5, ImageNet (arXiv:1811.01335): weights at +-1, BatchNorms alone learn.

8 GPUs x 128 = 1024 images a step, 1 epoch. 5.696e8 FLOPs, 6.258e8 OPs. Published, after all five: 62.6/83.9
top-1/top-5; here: not yet measured. Unverified: as in resnet50_stepwise_relu.py.
"""

_base_ = ['./resnet18_stepwise_norms.py']
model = dict(backbone=dict(type='TwoStreamResNet'), head=dict(in_channels=2048))
train_dataloader = dict(batch_size=128)
global_batch_size = 1024
optim_wrapper = dict(optimizer=dict(lr=8e-4))
load_from = 'work_dirs/supervised/bireal/resnet50_stepwise_binary/weights.pth'
