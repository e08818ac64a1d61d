"""ReCU, VGG-small, CIFAR-100: CIFAR-10's recipe, its own normalisation. 1 GPU x 256, 600 epochs.

4.358e6 FLOPs, 1.380e7 OPs. No published number: the release has the option, its table has no row; here: not yet
measured.
"""

_base_ = [
    '../../_base_/datasets/cifar100.py',
    '../../_base_/models/recu_vgg_small_cifar.py',
    '../../_base_/runtime.py',
    '../../_base_/schedules/recu_cifar.py',
]
model = dict(data_preprocessor={{_base_._NORMALIZER}}, head=dict(num_classes=100))
