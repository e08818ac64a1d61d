"""MoCo v2 as it is on Bi-Real-18, ImageNet: the baseline of S2-BNN's other network, in one step.

8 GPUs x 32 = 256 images a step, 200 epochs. 1.378e8 FLOPs, 1.640e8 OPs. Published (S2-BNN's paper): 42.816/67.712
linear top-1/top-5 (benchmarks/linear_classification/imagenet/s2bnn.py with model.head.in_channels=512); here: not yet
measured. Unverified: as reactnet.py.
"""

_base_ = ['./reactnet.py']
model = dict(backbone=dict(type='ResNet'), head=dict(projector=dict(in_channels=512, widths=[512, 128])))
