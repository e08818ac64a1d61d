"""S2-BNN on the digits, contrastive loss + distillation, in one step: both binary from the start.

Here: not yet measured.
"""

_base_ = ['./contrastive_distillation_step2_digits.py']
load_from = None
