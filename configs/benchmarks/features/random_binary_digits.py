"""The binary digits network untrained, mean-pooled: with BURN's fc, random too, it is worse (26.9 against 36.1)."""

model = dict(
    type='Encoder',
    data_preprocessor=dict(type='ImageNormalizer', mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(
        type='ReActNet',
        channels=[16, 32, 64, 64, 128, 128],
        strides=[1, 2, 1, 2, 1],
        stem_stride=1,
        input_size=8,
        conv_cfg=dict(
            type='BinaryConv2d',
            activation=dict(type='ApproxSign'),
            weight=dict(type='ScaledSign', ste='clip'),
        ),
    ),
)
