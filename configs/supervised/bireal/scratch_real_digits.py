"""The real-valued twin of scratch_digits.py, by the same recipe: ReLU in place of the sign, as step by step begins."""

_base_ = ['./scratch_digits.py']
model = dict(backbone=dict(conv_cfg=dict(type='BinaryConv2d', activation=dict(type='ReLU'))))
