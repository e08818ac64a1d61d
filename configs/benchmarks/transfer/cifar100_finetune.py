"""Transfer to CIFAR-100, the whole network learns: as cifar10_finetune.py. Data: data/cifar100, or --download."""

_base_ = ['./cifar10_finetune.py']
train_dataloader = dict(dataset=dict(type='CIFAR100'))
val_dataloader = dict(dataset=dict(type='CIFAR100'))
test_dataloader = val_dataloader
