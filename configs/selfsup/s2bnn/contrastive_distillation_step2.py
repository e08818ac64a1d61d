"""S2-BNN, contrastive and distillation 1 : 1, step 2, ImageNet: both binary; starts from all of step 1.

8 GPUs x 32 = 256 images a step, 200 epochs, two views. 0.119e8 FLOPs, 0.871e8 OPs. Published: 56.022/79.168 linear
top-1/top-5 (benchmarks/linear_classification/imagenet/s2bnn.py); here: not yet measured. The published code also
loads the momentum copy and the queue; here both start anew.
"""

_base_ = ['./contrastive_distillation_step1.py']
model = dict(backbone=dict(conv_cfg=dict(weight=dict(type='ScaledSign', ste='clip'))))
load_from = 'work_dirs/selfsup/s2bnn/contrastive_distillation_step1/weights.pth'
how_to_get = dict(load_from='or train in one step: configs/selfsup/s2bnn/contrastive_distillation_one_step.py')
