"""ReCU's ResNet-18 for CIFAR: two convolutions a shortcut, padded shortcuts; weights start as in its release.

CIFAR-10 has ImageNet's normalisation.
"""

_base_ = ['./recu.py']
model = dict(
    backbone=dict(
        depths=[2, 2, 2, 2], convs_per_shortcut=2, stem='small', shortcut='pad', input_size=32, init='kaiming_fan_in'
    ),
    head=dict(num_classes=10, init='torch'),
)
