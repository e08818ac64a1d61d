"""ReActNet-A, step 1, ImageNet (arXiv:2003.03488): binary activations, real weights.

8 GPUs x 32 = 256 images a step, 256 epochs; a teacher's soft labels alone. 0.119e8 FLOPs, 0.871e8 OPs once binary.
Published: 70.114 top-1 (its author), 69.4 after step 2; here: not yet measured. As in the release, every tensor of
four axes is decayed, learnable shifts included, and weights start by torch's default.
"""

_base_ = [
    '../../_base_/datasets/imagenet_supervised.py',
    '../../_base_/models/soft_labels_imagenet.py',
    '../../_base_/runtime_imagenet.py',
    '../../_base_/schedules/adam_linear_imagenet.py',
]
model = dict(
    backbone=dict(
        type='ReActNet', conv_cfg=dict(type='BinaryConv2d', activation=dict(type='ApproxSign')), init='torch'
    ),
    head=dict(type='LinearHead', num_classes=1000, in_channels=1024, init='torch'),
)
train_dataloader = dict(batch_size=32)
global_batch_size = 256
optim_wrapper = dict(optimizer=dict(lr=5e-4, weight_decay=1e-5), paramwise_cfg=dict(decay='four_axes'))
