"""S2-BNN, distillation only, on the digits, step 2: Bi-Real Net's plan, both binary; goes on from all of step 1."""

_base_ = ['./bireal_step1_digits.py']
model = dict(backbone=dict(conv_cfg=dict(weight=dict(type='ScaledSign', ste='clip'))))
load_from = 'work_dirs/selfsup/s2bnn/bireal_step1_digits/weights.pth'
how_to_get = dict(
    load_from='step 1 makes it: python tools/train.py configs/selfsup/s2bnn/bireal_step1_digits.py && python '
    'tools/extract_weights_for_multi.py work_dirs/selfsup/s2bnn/bireal_step1_digits/latest.pth '
    'work_dirs/selfsup/s2bnn/bireal_step1_digits/weights.pth'
)
