"""MoCo v2 as it is on the digits: Bi-Real Net's plan, binary in one step.

Here: not yet measured.
"""

_base_ = ['./reactnet_digits.py', '../../_base_/models/bireal_digits.py']
model = dict(backbone={{_base_._BIREAL}}, head=dict(projector=dict(in_channels=64)))
