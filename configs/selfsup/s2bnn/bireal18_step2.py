"""S2-BNN, distillation only, step 2, ImageNet: Bi-Real-18, both binary; starts from all of step 1.

8 GPUs x 32 = 256 images a step, 200 epochs, one view. 1.378e8 FLOPs, 1.640e8 OPs. Published: 51.242/75.890 linear
top-1/top-5 (benchmarks/linear_classification/imagenet/s2bnn.py with model.head.in_channels=512); here: not yet
measured.
"""

_base_ = ['./bireal18_step1.py']
model = dict(backbone=dict(conv_cfg=dict(weight=dict(type='ScaledSign', ste='clip'))))
load_from = 'work_dirs/selfsup/s2bnn/bireal18_step1/weights.pth'
