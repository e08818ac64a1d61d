"""S2-BNN on the digits, contrastive loss only, step 2: both binary; goes on from all of step 1.

Here: 93.4 linear, 88.6 k-NN, mean of 3 seeds (benchmarks/RESULTS.md).
"""

_base_ = ['./contrastive_step1_digits.py']
model = dict(backbone=dict(conv_cfg=dict(weight=dict(type='ScaledSign', ste='clip'))))
load_from = 'work_dirs/selfsup/s2bnn/contrastive_step1_digits/weights.pth'
