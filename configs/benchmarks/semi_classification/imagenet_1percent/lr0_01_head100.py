"""1 % of ImageNet's labels, one point of OpenSelfSup's grid: trunk at 0.01, head at 100 times that.

Published (its model zoo, ResNet-50 after MoCo v1): 33.15 top-1; here: not yet measured.
"""

_base_ = ['./base.py']
optim_wrapper = dict(optimizer=dict(lr=0.01), paramwise_cfg=dict(lr_mult=dict(head=100)))
