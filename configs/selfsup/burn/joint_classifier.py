"""BURN's ablation, first row, ImageNet: the joint classifier alone, in one stage.

8 GPUs x 256 x 2 = 4096 images a step, 200 epochs. 0.119e8 FLOPs, 0.872e8 OPs (trunk with fc). Published: 57.33 linear
top-1; here: not yet measured. This loss alone has a trivial solution, both classifiers constant: watch `information`
in the log. The one term is not weighted: nothing reads the kl_weight that the head inherits.
"""

_base_ = ['./single_stage.py']
model = dict(head=dict(feature_similarity=None, feature_channels=None))
schedules = dict(kl_weight=None)
