"""S2-BNN on the digits, distillation only, in one step: both binary from the start."""

_base_ = ['./distillation_step2_digits.py']
load_from = None
