"""Bi-Real-18 step by step, 2 of 5, ImageNet (arXiv:1808.00278): leaky clip in place of ReLU.

8 GPUs x 32 = 256 images a step, 20 epochs. 1.378e8 FLOPs, 1.640e8 OPs once binary. Published, after all five:
56.4/79.5 top-1/top-5; here: not yet measured. Unverified: rate, decay and epochs of the finetuning; here those of
the binary step, decay as before.
"""

_base_ = ['./resnet18_stepwise_relu.py']
model = dict(backbone=dict(conv_cfg=dict(activation=dict(type='LeakyClip', slope=0.1))))
optim_wrapper = dict(optimizer=dict(lr=0.01))
schedules = dict(lr=dict(milestones=[10, 15]))
train_cfg = dict(max_epochs=20)
load_from = 'work_dirs/supervised/bireal/resnet18_stepwise_relu/weights.pth'
