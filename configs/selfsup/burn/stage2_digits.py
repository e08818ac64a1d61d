"""BURN, stage 2 on the digits: both binary; trunk and both heads of stage 1 go on."""

_base_ = ['./stage1_digits.py']
model = dict(
    backbone=dict(conv_cfg=dict(weight=dict(type='ScaledSign', ste='clip'))),
)
train_dataloader = dict(batch_size=64)
global_batch_size = 256
load_from = 'work_dirs/quickstart/seed0/stage1/weights.pth'
how_to_get = dict(
    load_from='make it with: bash tools/quickstart.sh --until stage1 '
    '(or train without it: configs/selfsup/burn/single_stage_digits.py)'
)
