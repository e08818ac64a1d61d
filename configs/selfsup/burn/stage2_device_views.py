"""BURN stage 2, ImageNet, its views cut by the loader's workers, coloured and blurred on the GPU (views/burn.py).

8 GPUs x 256 x 2 = 4096 images a step, 200 epochs. 0.119e8 FLOPs, 0.872e8 OPs (trunk with fc). Else as stage2.py;
here: not yet measured.
"""

_base_ = ['./stage2.py', '../../_base_/views/burn.py']
model = dict(data_preprocessor=dict(views=[{{_base_._REST}}] * 2))
train_dataloader = dict(dataset=dict(views=[{{_base_._CROP}}] * 2))
