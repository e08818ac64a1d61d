"""The former name of reactnet_one_step_digits.py."""

_base_ = ['./reactnet_one_step_digits.py']
