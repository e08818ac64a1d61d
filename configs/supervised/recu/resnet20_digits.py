"""ReCU's ResNet-20 with its recipe for CIFAR, on the digits: binary from the start. 100 epochs of its 600.

Weights start by our rule, not by the release's, to be comparable: Kaiming, fan out; classifier N(0, 0.01^2).
Here: 95.4 top-1, mean of 3 seeds (benchmarks/RESULTS.md).
"""

_base_ = [
    '../../_base_/models/recu_resnet20_cifar.py',
    '../../_base_/schedules/recu_cifar.py',
    '../../_base_/supervised_digits.py',
]
model = dict(
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(input_size=8, init='kaiming'),
    head=dict(init='normal'),
)
global_batch_size = None
train_cfg = dict(max_epochs=100)
