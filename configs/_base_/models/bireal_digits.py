"""Bi-Real Net's plan at the size of the digits; it takes the place of the network of a config's other base."""

_BIREAL = dict(_delete_=True, type='ResNet', widths=[16, 32, 64], depths=[1, 1, 1], stem='small', input_size=8)
_BIREAL_STEP1 = dict(**_BIREAL, conv_cfg=dict(type='BinaryConv2d', activation=dict(type='ApproxSign')))
