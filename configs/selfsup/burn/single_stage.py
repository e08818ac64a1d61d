"""BURN in one stage, ImageNet: both binary from the start, initialised as stage 1 is.

8 GPUs x 256 x 2 = 4096 images a step, 200 epochs. 0.119e8 FLOPs, 0.872e8 OPs (trunk with fc). Published: 61.43 linear
top-1; here: not yet measured. Other rows of its table: constant_balance.py and joint_classifier.py (ablation),
../byol/reactnet.py, ../swav/reactnet.py, ../s2bnn/contrastive_step2.py (tuned MoCo v2, 52.50),
../s2bnn/distillation_step2.py (S2-BNN, 61.50), ../../supervised/reactnet_imagenet.py (64.10).
"""

_base_ = ['./stage2.py']
load_from = None
