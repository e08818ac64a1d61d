"""The binary digits network untrained, mean-pooled: with BURN's fc, random too, it is worse (26.9 against 36.1)."""

_base_ = ['../../_base_/models/reactnet_digits.py']
model = dict(type='Encoder')
