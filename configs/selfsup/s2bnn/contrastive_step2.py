"""S2-BNN's enhanced MoCo v2 (contrastive only), step 2, ImageNet: both binary; starts from all of step 1.

8 GPUs x 32 = 256 images a step, 200 epochs. 0.119e8 FLOPs, 0.871e8 OPs. Published: 52.452/76.080 linear top-1/top-5
(BURN's paper: 52.50); here: not yet measured. The published code also loads the momentum copy and the queue; here
both start anew.
"""

_base_ = ['./contrastive_step1.py']
model = dict(backbone=dict(conv_cfg=dict(weight=dict(type='ScaledSign', ste='clip'))))
load_from = 'work_dirs/selfsup/s2bnn/contrastive_step1/weights.pth'
how_to_get = dict(load_from='or train in one step: configs/selfsup/s2bnn/contrastive_one_step.py')
