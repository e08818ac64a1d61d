"""S2-BNN on the digits, contrastive loss + distillation, step 2: both binary; goes on from all of step 1.

Here: 92.5 linear, 86.7 k-NN, mean of 3 seeds (benchmarks/RESULTS.md).
"""

_base_ = ['./contrastive_distillation_step1_digits.py']
model = dict(backbone=dict(conv_cfg=dict(weight=dict(type='ScaledSign', ste='clip'))))
load_from = 'work_dirs/selfsup/s2bnn/contrastive_distillation_step1_digits/weights.pth'
