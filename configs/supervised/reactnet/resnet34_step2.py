"""ReActNet's ResNet-34, step 2, ImageNet (arXiv:2003.03488): both binary; starts from all of step 1.

8 GPUs x 64 = 512 images a step, 256 epochs; a teacher's soft labels alone. 1.378e8 FLOPs, 1.929e8 OPs. No published
number: ResNet-18's settings; here: not yet measured.
"""

_base_ = ['./resnet34_step1.py']
model = dict(backbone=dict(conv_cfg=dict(weight=dict(type='ScaledSign', ste='clip'))))
optim_wrapper = dict(optimizer=dict(weight_decay=0))
load_from = 'work_dirs/supervised/reactnet/resnet34_step1/weights.pth'
