"""S2-BNN on the digits, distillation only, in one step: both binary from the start.

Here: not yet measured.
"""

_base_ = ['./distillation_step2_digits.py']
load_from = None
