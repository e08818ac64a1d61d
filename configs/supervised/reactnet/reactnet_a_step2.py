"""ReActNet-A, step 2, ImageNet (arXiv:2003.03488): both binary; starts from all of step 1.

8 GPUs x 32 = 256 images a step, 256 epochs; a teacher's soft labels alone. 0.119e8 FLOPs, 0.871e8 OPs. Published:
69.4 top-1; here: not yet measured.
"""

_base_ = ['./reactnet_a_step1.py']
model = dict(backbone=dict(conv_cfg=dict(weight=dict(type='ScaledSign', ste='clip'))))
optim_wrapper = dict(optimizer=dict(weight_decay=0))
load_from = 'work_dirs/supervised/reactnet/reactnet_a_step1/weights.pth'
