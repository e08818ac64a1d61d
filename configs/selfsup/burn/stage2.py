"""BURN stage 2, ImageNet: both binary; starts from stage 1's trunk, student head and target head.

8 GPUs x 256 x 2 = 4096 images a step, 200 epochs. 0.119e8 FLOPs, 0.872e8 OPs (trunk with fc).
Published: 62.29 linear top-1; here: not yet measured.
"""

_base_ = ['./stage1.py']
model = dict(backbone=dict(conv_cfg=dict(weight=dict(type='ScaledSign', ste='clip'))))
load_from = 'work_dirs/selfsup/burn/stage1/weights.pth'
how_to_get = dict(load_from='or train in one stage: configs/selfsup/burn/single_stage.py')
