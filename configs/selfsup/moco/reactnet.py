"""MoCo v2 as it is on binary ReActNet-A, ImageNet: the baseline of S2-BNN, in one step.

8 GPUs x 32 = 256 images a step, 200 epochs. 0.119e8 FLOPs, 0.871e8 OPs. Published (S2-BNN's paper): 46.922/70.712
linear top-1/top-5 (46.9 in its release; benchmarks/linear_classification/imagenet/s2bnn.py); here: not yet measured.
One step, SGD and MoCo v2's own views: Adam, lighter views and binarising in two steps are what its table adds in the
next row, s2bnn/contrastive_step2.py. The baseline's own script is not published: these are MoCo v2's settings, and our
start of the weights (the release's files for one step would be model.backbone.init=torch_positive).
"""

_base_ = ['./resnet50.py']
model = dict(
    backbone=dict(_delete_=True, type='ReActNet'),  # binary by default
    head=dict(projector=dict(in_channels=1024, widths=[1024, 128])),
)
train_cfg = dict(max_epochs=200)
