"""SwAV on the digits, step 2: both binary; goes on from all of step 1."""

_base_ = ['./reactnet_step1_digits.py']
model = dict(backbone=dict(conv_cfg=dict(weight=dict(type='ScaledSign', ste='clip'))))
load_from = 'work_dirs/selfsup/swav/reactnet_step1_digits/weights.pth'
how_to_get = dict(
    load_from='step 1 makes it: python tools/train.py configs/selfsup/swav/reactnet_step1_digits.py && python '
    'tools/extract_weights_for_multi.py work_dirs/selfsup/swav/reactnet_step1_digits/latest.pth '
    'work_dirs/selfsup/swav/reactnet_step1_digits/weights.pth'
)
