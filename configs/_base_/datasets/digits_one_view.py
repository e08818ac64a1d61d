"""Digits, one augmented view of each training image, for methods that need no second one."""

_base_ = ['./digits_two_views.py']
train_dataloader = dict(dataset=dict(views=[{{_base_._VIEW}}]))
