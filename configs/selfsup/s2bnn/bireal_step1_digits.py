"""S2-BNN, distillation only, on the digits, step 1: Bi-Real Net's plan, binary activations, real weights.

Here: not yet measured.
"""

_base_ = ['./distillation_step1_digits.py', '../../_base_/models/bireal_digits.py']
model = dict(backbone={{_base_._BIREAL_STEP1}}, head=dict(projector=dict(in_channels=64)))
