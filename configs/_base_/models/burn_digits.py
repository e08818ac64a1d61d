"""BURN on the digits: a ReActNet of a hundredth of the size, its real-valued twin as the frozen extractor."""

_CHANNELS = [16, 32, 64, 64, 128, 128]
_STRIDES = [1, 2, 1, 2, 1]

model = dict(
    type='BURN',
    data_preprocessor=dict(type='ImageNormalizer', mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(type='ReActNet', channels=_CHANNELS, strides=_STRIDES, stem_stride=1, input_size=8),
    neck=dict(type='PoolMLP', in_channels=128, widths=[128], last_activation=True),
    head=dict(
        type='BURNHead',
        projector=dict(type='MLP', in_channels=128, widths=[256, 256]),
        temperature=0.2,
        kl_weight=0.1,
        feature_similarity='features',
    ),
    teacher=dict(
        type='FrozenTeacher',
        backbone=dict(
            type='ReActNet',
            channels=_CHANNELS,
            strides=_STRIDES,
            stem_stride=1,
            input_size=8,
            conv_cfg=dict(type='Conv2d'),
        ),
        checkpoint='work_dirs/quickstart/seed0/teacher/weights.pth',
    ),
    target_head=dict(type='MLP', in_channels=128, widths=[256, 256]),
    train_target_head=False,
)
sync_bn = True
schedules = dict(
    lr=dict(target='lr', curve='cosine', end=0.0, by='iter', warmup_epochs=1, warmup_ratio=0.01),
    kl_weight=dict(target='head.kl_weight', curve='cosine', start=0.1, end=0.3),
)
how_to_get = dict(teacher='make it with: bash tools/quickstart.sh --until teacher')
