"""Semi-supervised evaluation on 1 % of the digits' labels, 11 images, one or two a class: as digits_10percent.py."""

_base_ = ['./digits_10percent.py']
train_dataloader = dict(batch_size=10, dataset=dict(percent=1))
global_batch_size = 10
optim_wrapper = dict(optimizer=dict(weight_decay=5e-4))
schedules = dict(lr=dict(milestones=[60, 80]))
train_cfg = dict(max_epochs=100, val_interval=25)
default_hooks = dict(checkpoint=dict(interval=25))
