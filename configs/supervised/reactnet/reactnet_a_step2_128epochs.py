"""ReActNet-A, step 2, ImageNet: the release's other setting, half the epochs at 2.5 times the rate.

8 GPUs x 32 = 256 images a step, 128 epochs. 0.119e8 FLOPs, 0.871e8 OPs. Published: 69.4 top-1 (its author: as good
as 256 epochs); here: not yet measured.
"""

_base_ = ['./reactnet_a_step2.py']
optim_wrapper = dict(optimizer=dict(lr=1.25e-3))
train_cfg = dict(max_epochs=128)
load_from = 'work_dirs/supervised/reactnet/reactnet_a_step1_128epochs/weights.pth'
