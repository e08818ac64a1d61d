"""Linear evaluation on ImageNet, BURN's protocol: frozen trunk (fc included), 8 GPUs x 32, 100 epochs.

Published, after stage 2: 62.29 top-1; here: not yet measured. The weights file says which trunk it holds; any does.
For several rates in one pass over the data: several_rates.py beside this file.
"""

_base_ = ['../../../_base_/datasets/imagenet_linear.py', '../../../_base_/runtime_imagenet.py']
model = dict(type='Classifier', head=dict(type='LinearHead', num_classes=1000), frozen=['backbone', 'neck'])
global_batch_size = 256
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0))
schedules = dict(lr=dict(target='lr', curve='step', milestones=[60, 80], gamma=0.1))
train_cfg = dict(type='EpochLoop', max_epochs=100)
