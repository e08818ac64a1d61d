"""ReCU, ResNet-18 of ImageNet, TinyImageNet at 224 px. 1 GPU x 256, 600 epochs.

1.374e8 FLOPs, 1.636e8 OPs. No published number; here: not yet measured. Unverified: optimiser and epochs. The
release offers the data in its program for CIFAR, whose defaults these are, with ImageNet's network as that starts: each
BatchNorm2d at a gain of 1e-8.
"""

_base_ = [
    '../../_base_/datasets/tiny_imagenet.py',
    '../../_base_/models/recu_resnet18_imagenet.py',
    '../../_base_/runtime.py',
    '../../_base_/schedules/recu_cifar.py',
]
model = dict(data_preprocessor={{_base_._NORMALIZER}}, head=dict(num_classes=200))
