"""Bi-Real-50's two streams, an eighth as wide and of three stages, from scratch on the digits.

Here: 92.3 top-1, mean of 3 seeds (benchmarks/RESULTS.md).
"""

_base_ = ['./scratch_digits.py']
model = dict(
    backbone=dict(
        _delete_=True, type='TwoStreamResNet', widths=[8, 16, 32], depths=[1, 1, 1], stem='small', input_size=8
    ),
    head=dict(in_channels=128),
)
