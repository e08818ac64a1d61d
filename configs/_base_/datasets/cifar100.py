"""CIFAR-100, as cifar10.py: the fine labels. Its config's model takes ``_NORMALIZER`` and 100 classes."""

_base_ = ['./cifar10.py']

_NORMALIZER = dict(  # ReCU's, (.507, .487, .441) and (.267, .256, .276) of 255
    type='ImageNormalizer', mean=[129.285, 124.185, 112.455], std=[68.085, 65.28, 70.38]
)

train_dataloader = dict(dataset=dict(type='CIFAR100'))
val_dataloader = dict(dataset=dict(type='CIFAR100'))
test_dataloader = val_dataloader
