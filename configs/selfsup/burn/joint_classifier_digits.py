"""BURN's ablation on the digits, first row: the joint classifier alone, in one stage.

The one term is not weighted: nothing reads the kl_weight that the head inherits.
Here: not yet measured.
"""

_base_ = ['./single_stage_digits.py']
model = dict(head=dict(feature_similarity=None))
schedules = dict(kl_weight=None)
