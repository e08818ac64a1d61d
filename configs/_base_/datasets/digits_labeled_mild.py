"""Digits with labels, augmented mildly, as crops and flips are for CIFAR: a pixel of shift, small turns and scales."""

_base_ = ['./digits_labeled.py']
train_dataloader = dict(
    dataset=dict(views=[dict(type='DigitsAugment', degrees=10.0, translate=0.125, scale=(0.9, 1.1))])
)
