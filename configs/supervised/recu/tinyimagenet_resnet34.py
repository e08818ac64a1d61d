"""ReCU, ResNet-34 of ImageNet, TinyImageNet at 224 px. 1 GPU x 256, 600 epochs.

1.374e8 FLOPs, 1.925e8 OPs. No published number; here: not yet measured. Unverified: as tinyimagenet_resnet18.py.
"""

_base_ = ['./tinyimagenet_resnet18.py']
model = dict(backbone=dict(depths=[6, 8, 12, 6]))
