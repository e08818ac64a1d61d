"""S2-BNN, distillation only, step 2, ImageNet: both binary; starts from all of step 1.

8 GPUs x 32 = 256 images a step, 200 epochs, one view. 0.119e8 FLOPs, 0.871e8 OPs. Published: 61.506/83.512 linear
top-1/top-5 (BURN's paper: 61.50; benchmarks/linear_classification/imagenet/s2bnn.py); here: not yet measured.
"""

_base_ = ['./distillation_step1.py']
model = dict(backbone=dict(conv_cfg=dict(weight=dict(type='ScaledSign', ste='clip'))))
load_from = 'work_dirs/selfsup/s2bnn/distillation_step1/weights.pth'
how_to_get = dict(load_from='or train in one step: configs/selfsup/s2bnn/distillation_one_step.py')
