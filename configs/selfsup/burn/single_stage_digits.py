"""BURN on the digits in one stage: both binary from the start, initialised as stage 1 is.

Here: not yet measured.
"""

_base_ = ['./stage2_digits.py']
load_from = None
