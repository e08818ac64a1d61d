"""The digits network: ReActNet at a hundredth of its size, 8 px -> 2 px; binary, unless a child says otherwise."""

model = dict(
    data_preprocessor=dict(type='ImageNormalizer', mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(
        type='ReActNet',
        channels=[16, 32, 64, 64, 128, 128],
        strides=[1, 2, 1, 2, 1],
        stem_stride=1,
        input_size=8,
        conv_cfg=dict(
            type='BinaryConv2d', activation=dict(type='ApproxSign'), weight=dict(type='ScaledSign', ste='clip')
        ),
    ),
)
