"""S2-BNN's enhanced MoCo v2 (contrastive only) in one step, ImageNet: both binary from the start.

8 GPUs x 32 = 256 images a step, 200 epochs. 0.119e8 FLOPs, 0.871e8 OPs. No published number; here: not yet measured.
The published initialisation makes every first binary weight +1; it is model.backbone.init=published_s2bnn.
"""

_base_ = ['./contrastive_step2.py']
load_from = None
