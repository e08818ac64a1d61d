"""1 % of ImageNet's labels, one point of OpenSelfSup's grid: trunk at 0.1, head at 1 times that."""

_base_ = ['./base.py']
optim_wrapper = dict(optimizer=dict(lr=0.1), paramwise_cfg=dict(lr_mult=dict(head=1)))
