"""ReCU's VGG-small for CIFAR: its last maps, 512 of 4 x 4, go to the classifier as they are.

As in its release, unlike its ResNets, convolutions start by fan out and the classifier in N(0, 0.01^2): the defaults.
"""

_base_ = ['./recu.py']
model = dict(
    backbone=dict(type='VGG', input_size=32),
    neck=dict(_delete_=True, type='PoolMLP', pool='flatten'),
    head=dict(num_classes=10, in_channels=512 * 4 * 4),
)
