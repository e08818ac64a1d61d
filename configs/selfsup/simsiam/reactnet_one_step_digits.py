"""SimSiam on the digits, in one step: both binary from the start.

Here: not yet measured.
"""

_base_ = ['./reactnet_step2_digits.py']
load_from = None
