"""SwAV on binary ReActNet-A, ImageNet: a row of BURN's table, in one stage.

64 GPUs x 64 = 4096 images a step, 400 epochs. 0.119e8 FLOPs, 0.871e8 OPs. Published (BURN's paper): 49.41 linear top-1
(benchmarks/linear_classification/imagenet/burn.py, no fc: the trunk ends in the pool); here: not yet measured. The
release's files of that name hold BYOL (byol/reactnet.py): these are SwAV's own settings, the 400 epochs from the name
of those files. Unverified: the settings behind the number; weights start by our rule.
"""

_base_ = ['./resnet50.py']
model = dict(
    backbone=dict(_delete_=True, type='ReActNet'),  # binary by default
    head=dict(projector=dict(in_channels=1024, widths=[1024, 128])),
)
train_cfg = dict(max_epochs=400)
