"""S2-BNN, distillation only, on the digits, step 2: Bi-Real Net's plan, both binary; goes on from all of step 1.

Here: not yet measured.
"""

_base_ = ['./bireal_step1_digits.py']
model = dict(backbone=dict(conv_cfg=dict(weight=dict(type='ScaledSign', ste='clip'))))
load_from = 'work_dirs/selfsup/s2bnn/bireal_step1_digits/weights.pth'
