"""ReActNet's ResNet-18 in real precision, 16 to 64 wide, on the digits with labels: the binary one's teacher.

Here: 97.2 top-1, mean of 3 seeds (benchmarks/RESULTS.md).
"""

_base_ = [
    '../../_base_/models/imagenet.py',
    '../../_base_/schedules/adam_linear_imagenet.py',
    '../../_base_/supervised_digits.py',
]
model = dict(
    type='Classifier',
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(
        type='ResNet',
        widths=[16, 32, 64],
        depths=[1, 1, 1],
        stem='small',
        shift=True,
        activation='RPReLU',
        input_size=8,
        conv_cfg=dict(type='Conv2d'),
    ),
    head=dict(type='LinearHead', num_classes=10, in_channels=64),
)
global_batch_size = None
optim_wrapper = dict(optimizer=dict(lr=2e-3))
train_cfg = dict(max_epochs=60)
