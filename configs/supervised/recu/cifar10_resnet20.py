"""ReCU, ResNet-20, CIFAR-10 (arXiv:2103.12369): binary from the start. 1 GPU x 256, 600 epochs.

4.430e5 FLOPs, 1.070e6 OPs. Published: 87.5 top-1, the best epoch's on the test images; here: not yet measured.
"""

_base_ = [
    '../../_base_/datasets/cifar10.py',
    '../../_base_/models/recu_resnet20_cifar.py',
    '../../_base_/runtime.py',
    '../../_base_/schedules/recu_cifar.py',
]
