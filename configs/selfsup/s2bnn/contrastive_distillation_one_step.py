"""S2-BNN, contrastive and distillation 1 : 1, in one step, ImageNet: both binary from the start.

8 GPUs x 32 = 256 images a step, 200 epochs, two views. 0.119e8 FLOPs, 0.871e8 OPs. No published number; here: not yet
measured. The
release would start with every binary weight at +1 (model.backbone.init=torch_positive); ours start by Kaiming's rule.
"""

_base_ = ['./contrastive_distillation_step2.py']
model = dict(backbone=dict(init='kaiming'))
load_from = None
