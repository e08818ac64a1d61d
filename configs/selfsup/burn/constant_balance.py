"""BURN's ablation, second row, ImageNet: joint classifier and feature similarity, in one stage, balanced by a constant.

8 GPUs x 256 x 2 = 4096 images a step, 200 epochs. 0.119e8 FLOPs, 0.872e8 OPs (trunk with fc). Published: 59.53 linear
top-1; here: not yet measured. Unverified: which constant; here 0.1, where the schedule of single_stage.py begins.
"""

_base_ = ['./single_stage.py']
schedules = dict(kl_weight=None)
