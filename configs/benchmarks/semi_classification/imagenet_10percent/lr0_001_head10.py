"""10 % of ImageNet's labels, one point of OpenSelfSup's grid: trunk at 0.001, head at 10 times that."""

_base_ = ['./base.py']
optim_wrapper = dict(optimizer=dict(lr=0.001), paramwise_cfg=dict(lr_mult=dict(head=10)))
