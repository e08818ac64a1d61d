"""S2-BNN on the digits, contrastive loss only, in one step: both binary from the start.

Here: not yet measured.
"""

_base_ = ['./contrastive_step2_digits.py']
load_from = None
