"""MoCo v2 on binary ReActNet-A, ImageNet, its views made by the fast transforms of the loader's workers.

8 GPUs x 32 = 256 images a step, 200 epochs. 0.119e8 FLOPs, 0.871e8 OPs. Else as reactnet.py; here: not yet measured.
"""

_base_ = ['./reactnet.py', '../../_base_/views/moco.py']
train_dataloader = dict(dataset=dict(views=[{{_base_._PHOTO}}] * 2))
