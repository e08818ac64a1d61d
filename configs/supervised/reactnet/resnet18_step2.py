"""ReActNet's ResNet-18, step 2, ImageNet (arXiv:2003.03488): both binary; starts from all of step 1.

8 GPUs x 64 = 512 images a step, 256 epochs; a teacher's soft labels alone. 1.378e8 FLOPs, 1.640e8 OPs. Published:
65.9 top-1; here: not yet measured.
"""

_base_ = ['./resnet18_step1.py']
model = dict(backbone=dict(conv_cfg=dict(weight=dict(type='ScaledSign', ste='clip'))))
optim_wrapper = dict(optimizer=dict(weight_decay=0))
load_from = 'work_dirs/supervised/reactnet/resnet18_step1/weights.pth'
