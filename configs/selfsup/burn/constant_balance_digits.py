"""BURN's ablation on the digits, second row: joint classifier and feature similarity, balanced by a constant.

Here: not yet measured.
"""

_base_ = ['./single_stage_digits.py']
schedules = dict(kl_weight=None)
