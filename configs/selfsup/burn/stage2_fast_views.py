"""BURN stage 2, ImageNet, its views made by the fast transforms of the loader's workers (views/burn.py).

8 GPUs x 256 x 2 = 4096 images a step, 200 epochs. 0.119e8 FLOPs, 0.872e8 OPs (trunk with fc). Else as stage2.py;
here: not yet measured.
"""

_base_ = ['./stage2.py', '../../_base_/views/burn.py']
train_dataloader = dict(dataset=dict(views=[{{_base_._PHOTO}}] * 2))
