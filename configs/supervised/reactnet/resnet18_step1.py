"""ReActNet's ResNet-18, step 1, ImageNet (arXiv:2003.03488): binary activations, real weights.

8 GPUs x 64 = 512 images a step, 256 epochs; a teacher's soft labels alone. 1.378e8 FLOPs, 1.640e8 OPs once binary.
Published, after step 2: 65.9 top-1; here: not yet measured. Weights start by torch's default, as in the release.
"""

_base_ = [
    '../../_base_/datasets/imagenet_supervised.py',
    '../../_base_/models/soft_labels_imagenet.py',
    '../../_base_/runtime_imagenet.py',
    '../../_base_/schedules/adam_linear_imagenet.py',
]
model = dict(
    backbone=dict(
        type='ResNet',
        shift=True,
        activation='RPReLU',
        conv_cfg=dict(type='BinaryConv2d', activation=dict(type='ApproxSign')),
        init='torch',
    ),
    head=dict(type='LinearHead', num_classes=1000, in_channels=512, init='torch'),
)
optim_wrapper = dict(optimizer=dict(weight_decay=1e-5), paramwise_cfg=dict(decay='four_axes'))
