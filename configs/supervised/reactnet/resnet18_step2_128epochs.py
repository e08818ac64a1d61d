"""ReActNet's ResNet-18, step 2, ImageNet: the release's other setting, half the epochs at 2.5 times the rate.

8 GPUs x 64 = 512 images a step, 128 epochs. 1.378e8 FLOPs, 1.640e8 OPs. Published: 65.9 top-1 (its author: as good
as 256 epochs); here: not yet measured.
"""

_base_ = ['./resnet18_step2.py']
optim_wrapper = dict(optimizer=dict(lr=2.5e-3))
train_cfg = dict(max_epochs=128)
load_from = 'work_dirs/supervised/reactnet/resnet18_step1_128epochs/weights.pth'
