"""Bi-Real-50 from scratch, ImageNet (arXiv:1811.01335), as released. 8 GPUs x 32 = 256 images a step, 256 epochs.

5.696e8 FLOPs, 6.258e8 OPs. Published: 62.6/83.9 top-1/top-5; here: not yet measured.
"""

_base_ = ['./resnet18_scratch.py']
model = dict(backbone=dict(type='TwoStreamResNet'), head=dict(in_channels=2048))
train_dataloader = dict(batch_size=32)
global_batch_size = 256
optim_wrapper = dict(optimizer=dict(lr=5e-4))
