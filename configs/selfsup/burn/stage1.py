"""BURN stage 1, ImageNet: binary activations, real weights. 8 GPUs x 256 x 2 = 4096 images a step, 200 epochs.

0.119e8 FLOPs, 0.872e8 OPs once binary (trunk with fc; _base_/models/moco_imagenet.py says how they are counted).
Published, after both stages: 62.29 linear top-1; here: not yet measured. As in the paper g learns; the joint loss has a
trivial solution, both classifiers constant. On the digits, with the release's start of the weights as here, it took 300
to 600 iterations (`information`: 0.54 to 0.76 nats at 100, below 0.06 at 300, 0 at 604), with ours fewer than 100.
Watch `information` in the log; released_stage1.py has g frozen.
"""

_base_ = [
    '../../_base_/datasets/imagenet_two_views_burn.py',
    '../../_base_/models/burn_imagenet.py',
    '../../_base_/runtime_imagenet.py',
]
model = dict(backbone=dict(conv_cfg=dict(type='BinaryConv2d', activation=dict(type='ApproxSign'))))
global_batch_size = 4096
optim_wrapper = dict(type='OptimWrapper', precision='fp16', optimizer=dict(type='Adam', lr=3e-4, weight_decay=0))
schedules = dict(lr=dict(target='lr', curve='cosine', end=0.0, by='epoch', warmup_epochs=10, warmup_ratio=1e-4))
train_cfg = dict(type='EpochLoop', max_epochs=200)
