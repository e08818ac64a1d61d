"""Transfer to CIFAR-100, frozen trunk: as cifar10_linear.py. Data: data/cifar100, or --download."""

_base_ = ['./cifar10_linear.py']
train_dataloader = dict(dataset=dict(type='CIFAR100'))
val_dataloader = dict(dataset=dict(type='CIFAR100'))
test_dataloader = val_dataloader
