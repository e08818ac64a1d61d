"""S2-BNN, distillation only, on the digits, step 1: Bi-Real Net's plan, binary activations, real weights."""

_base_ = ['./distillation_step1_digits.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet',
        widths=[16, 32, 64],
        depths=[1, 1, 1],
        stem='small',
        input_size=8,
        conv_cfg=dict(type='BinaryConv2d', activation=dict(type='ApproxSign')),
    ),
    head=dict(projector=dict(in_channels=64)),
)
