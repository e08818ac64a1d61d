"""ReCU's ResNet-18 for ImageNet; as published, every BatchNorm2d begins with a gain of 1e-8."""

_base_ = ['./recu.py']
model = dict(backbone=dict(stem_activation='Hardtanh', shortcut='conv', norm_gamma=1e-8))
