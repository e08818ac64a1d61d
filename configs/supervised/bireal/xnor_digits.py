"""XNOR-Net's ResNet as Bi-Real Net's baseline on the digits: a shortcut around each two convolutions."""

_base_ = ['./scratch_digits.py']
model = dict(backbone=dict(convs_per_shortcut=2))
