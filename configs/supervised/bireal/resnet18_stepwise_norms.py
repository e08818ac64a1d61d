"""Bi-Real-18 step by step, 5 of 5, ImageNet (arXiv:1808.00278): weights at +-1, BatchNorms alone learn.

4 GPUs x 32 = 128 images a step, 1 epoch. 1.378e8 FLOPs, 1.640e8 OPs. Published, after all five: 56.4/79.5
top-1/top-5; here: not yet measured. mean|w| goes into the BatchNorms. Unverified: the rate of this epoch, here
where the binary step ends, and whether the classifier learns, here not.
"""

_base_ = ['./resnet18_stepwise_binary.py']
model = dict(backbone=dict(conv_cfg=dict(weight=dict(_delete_=True, type='BoxSign'))), learns='norms')
optim_wrapper = dict(optimizer=dict(lr=1e-4))
schedules = dict(lr=dict(_delete_=True, target='lr', curve='constant'))
train_cfg = dict(max_epochs=1)
load_from = 'work_dirs/supervised/bireal/resnet18_stepwise_binary/weights.pth'
