"""Digits, multi-crop: two views of the whole digit, two of a part at its own resolution, 6 x 6 px."""

_base_ = ['./digits_two_views.py']

_PART = dict(type='DigitsAugment', degrees=20.0, translate=0.2, scale=(1.1, 1.6), shear=10.0, size=6)

train_dataloader = dict(dataset=dict(views=[{{_base_._VIEW}}, {{_base_._VIEW}}, _PART, _PART]))
