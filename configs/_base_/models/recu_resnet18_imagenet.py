"""ReCU's ResNet-18 for ImageNet; as released, weights start by fan in and every BatchNorm2d with a gain of 1e-8."""

_base_ = ['./recu.py']
model = dict(
    backbone=dict(stem_activation='Hardtanh', shortcut='conv', norm_gamma=1e-8, init='kaiming_fan_in'),
    head=dict(init='torch'),
)
