"""BURN stage 2 as its released code has it (but with gradients); weight gradients scaled by the channel's mean |w|."""

_base_ = ['./released_stage1.py']
model = dict(backbone=dict(conv_cfg=dict(weight=dict(type='ScaledSign', ste='identity', scale_gradient=True))))
load_from = 'work_dirs/selfsup/burn/released_stage1/weights.pth'
how_to_get = dict(
    load_from='stage 1 makes it: bash tools/dist_train.sh configs/selfsup/burn/released_stage1.py 8 && python '
    'tools/extract_weights_for_multi.py work_dirs/selfsup/burn/released_stage1/latest.pth '
    'work_dirs/selfsup/burn/released_stage1/weights.pth; or train in one stage: configs/selfsup/burn/single_stage.py'
)
