"""10 % of ImageNet's labels, one point of OpenSelfSup's grid: trunk at 0.01, head at 10 times that.

Here: not yet measured.
"""

_base_ = ['./base.py']
optim_wrapper = dict(optimizer=dict(lr=0.01), paramwise_cfg=dict(lr_mult=dict(head=10)))
