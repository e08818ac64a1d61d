"""BURN stage 2 as its released code has it (but with gradients); weight gradients scaled by the channel's mean |w|.

Here: not yet measured.
"""

_base_ = ['./released_stage1.py']
model = dict(backbone=dict(conv_cfg=dict(weight=dict(type='ScaledSign', ste='identity', scale_gradient=True))))
load_from = 'work_dirs/selfsup/burn/released_stage1/weights.pth'
how_to_get = dict(load_from='or train in one stage: configs/selfsup/burn/single_stage.py')
