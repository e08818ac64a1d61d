"""Semi-supervised evaluation on 10 % of ImageNet's labels: as imagenet_1percent/base.py but for the weight decay.

Here: not yet measured.
"""

_base_ = ['../imagenet_1percent/base.py']
train_dataloader = dict(dataset=dict(percent=10))
optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))
