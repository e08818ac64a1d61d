"""k-NN on CIFAR-100: plain test images (10,000) are looked for among plain training images (50,000)."""

_base_ = ['./cifar10.py']
test_dataloader = dict(dataset=dict(bank=dict(type='CIFAR100'), query=dict(type='CIFAR100')))
