"""ReCU's ResNet-18 for CIFAR: two convolutions a shortcut, padded shortcuts. CIFAR-10 has ImageNet's normalisation."""

_base_ = ['./recu.py']
model = dict(
    backbone=dict(depths=[2, 2, 2, 2], convs_per_shortcut=2, stem='small', shortcut='pad', input_size=32),
    head=dict(num_classes=10),
)
