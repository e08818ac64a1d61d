"""SimSiam on the digits with the real-valued twin.

Here: not yet measured.
"""

_base_ = ['./reactnet_one_step_digits.py']
model = dict(backbone=dict(conv_cfg=dict(_delete_=True, type='Conv2d')))
optim_wrapper = dict(optimizer=dict(lr=2e-3))
