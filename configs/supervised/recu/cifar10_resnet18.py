"""ReCU, ResNet-18, CIFAR-10 (arXiv:2103.12369): binary from the start. 1 GPU x 256, 600 epochs.

1.775e6 FLOPs, 1.033e7 OPs. Published: 92.8 top-1, the best epoch's on the test images; here: not yet measured.
"""

_base_ = [
    '../../_base_/datasets/cifar10.py',
    '../../_base_/models/recu_resnet18_cifar.py',
    '../../_base_/runtime.py',
    '../../_base_/schedules/recu_cifar.py',
]
