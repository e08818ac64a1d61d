"""ReCU's ResNet-20 for CIFAR: 16, 32, 64 wide, padded shortcuts; weights start as in its release.

CIFAR-10 has ImageNet's normalisation.
"""

_base_ = ['./recu.py']
model = dict(
    backbone=dict(
        widths=[16, 32, 64],
        depths=[6, 6, 6],
        stem='small',
        stem_activation='Hardtanh',
        shortcut='pad',
        input_size=32,
        init='kaiming_fan_in',
    ),
    neck=dict(in_channels=64),
    head=dict(num_classes=10, in_channels=64, init='torch'),
)
