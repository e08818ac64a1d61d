"""MoCo v2 as it is on the digits: Bi-Real Net's plan, binary in one step."""

_base_ = ['./reactnet_digits.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet',
        widths=[16, 32, 64],
        depths=[1, 1, 1],
        stem='small',
        input_size=8,
    ),
    head=dict(projector=dict(in_channels=64)),
)
