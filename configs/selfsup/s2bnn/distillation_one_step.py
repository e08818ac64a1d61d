"""S2-BNN, distillation only, in one step, ImageNet: both binary from the start.

8 GPUs x 32 = 256 images a step, 200 epochs, one view. 0.119e8 FLOPs, 0.871e8 OPs. No published number; here: not yet
measured. The
release would start with every binary weight at +1 (model.backbone.init=torch_positive); ours start by Kaiming's rule.
"""

_base_ = ['./distillation_step2.py']
model = dict(backbone=dict(init='kaiming'))
load_from = None
