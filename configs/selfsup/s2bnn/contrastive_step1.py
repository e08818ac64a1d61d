"""S2-BNN's enhanced MoCo v2 (contrastive only), step 1, ImageNet: ReActNet-A, binary activations, real weights.

8 GPUs x 32 = 256 images a step, 200 epochs; Adam, coupled weight decay 1e-4, S2-BNN's views. 0.119e8 FLOPs, 0.871e8
OPs once binary. Published, after step 2: 52.452/76.080 linear top-1/top-5; here: not yet measured. Weights start by
torch's default, as in the release.
"""

_base_ = [
    '../../_base_/datasets/imagenet_two_views_s2bnn.py',
    '../../_base_/models/moco_imagenet.py',
    '../../_base_/runtime_imagenet.py',
    '../../_base_/schedules/s2bnn_imagenet.py',
]
model = dict(backbone=dict(init='torch'))
optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))
