"""Bi-Real-34 step by step, 4 of 5, ImageNet (arXiv:1808.00278): both binary.

8 GPUs x 128 = 1024 images a step, 40 epochs. 1.378e8 FLOPs, 1.929e8 OPs. Published, after all five: 62.2/83.9
top-1/top-5; here: not yet measured. Its Caffe solver has 0.01 and 40,000 steps with x0.1 at 20,000 and 30,000 (33,
16 and 24 epochs); here the text's 0.08 and 40, 20 and 30.
"""

_base_ = ['./resnet18_stepwise_binary.py']
model = dict(backbone=dict(depths=[6, 8, 12, 6]))
train_dataloader = dict(batch_size=128)
global_batch_size = 1024
optim_wrapper = dict(optimizer=dict(lr=0.08))
schedules = dict(lr=dict(milestones=[20, 30]))
train_cfg = dict(max_epochs=40)
load_from = 'work_dirs/supervised/bireal/resnet34_stepwise_clip/weights.pth'
