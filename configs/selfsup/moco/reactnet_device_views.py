"""MoCo v2 on binary ReActNet-A, ImageNet, its views cut by the loader's workers, coloured and blurred on the GPU.

8 GPUs x 32 = 256 images a step, 200 epochs. 0.119e8 FLOPs, 0.871e8 OPs. Else as reactnet.py; here: not yet measured.
"""

_base_ = ['./reactnet.py', '../../_base_/views/moco.py']
model = dict(data_preprocessor=dict(views=[{{_base_._REST}}] * 2))
train_dataloader = dict(dataset=dict(views=[{{_base_._CROP}}] * 2))
