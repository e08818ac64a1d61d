"""BYOL on binary ReActNet-A, ImageNet: a row of BURN's table, in one stage.

8 GPUs x 64 x 8 = 4096 images a step, 600 epochs. 0.119e8 FLOPs, 0.871e8 OPs. Published (BURN's paper): 49.25 linear
top-1 (benchmarks/linear_classification/imagenet/burn.py, no fc: the trunk ends in the pool); here: not yet measured.
As BYOL's paper has it: each BatchNorm over all processes, LARS and decay for weights alone, no bias, norm, slope or
shift; our start of the weights. From the release's `swav_reactnet_...` files, which hold BYOL: LARS at 4.8, decay 1e-6,
momentum from 0.99, fp16, and the 4096 of their comment, where their numbers make 8192: released_reactnet.py does as
they do. Whether they gave 49.25 or 49.41 is unverified.
"""

_base_ = ['./resnet50.py']
model = dict(
    backbone=dict(_delete_=True, type='ReActNet'),  # binary by default
    head=dict(projector=dict(in_channels=1024)),
    teacher=dict(momentum=0.99),
)
optim_wrapper = dict(precision='fp16', optimizer=dict(lr=0.3 / 256 * 4096, weight_decay=1e-6))
schedules = dict(lr=dict(by='epoch', warmup_ratio=1e-4), momentum=dict(start=0.99))
train_cfg = dict(max_epochs=600)
