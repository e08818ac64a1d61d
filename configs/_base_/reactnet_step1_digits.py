"""Step 1 on the digits, as BYOL, SimSiam and SwAV share it: binary activations, real weights."""

_base_ = ['./models/reactnet_digits.py', './runtime.py', './schedules/adamw_cosine_digits.py']
model = dict(backbone=dict(conv_cfg=dict(_delete_=True, type='BinaryConv2d', activation=dict(type='ApproxSign'))))
optim_wrapper = dict(optimizer=dict(lr=5e-3))
