"""S2-BNN on the digits: MoCo v2's head, the digits network with binary activations; a child binarises the weights too.

The teacher is the network's real-valued twin, head included.
"""

_base_ = ['./reactnet_digits.py']

_PROJECTOR = dict(type='MLP', in_channels=128, widths=[128, 64], norm=None)

model = dict(
    type='S2BNN',
    backbone=dict(conv_cfg=dict(_delete_=True, type='BinaryConv2d', activation=dict(type='ApproxSign'))),
    head=dict(type='DistillationHead', projector=_PROJECTOR),
    teacher=dict(
        type='FrozenTeacher',
        backbone=dict(
            type='ReActNet',
            channels={{_base_.model.backbone.channels}},
            strides={{_base_.model.backbone.strides}},
            stem_stride=1,
            input_size=8,
            conv_cfg=dict(type='Conv2d'),
        ),
        head=dict(type='ContrastiveHead', projector=_PROJECTOR),
        checkpoint='work_dirs/quickstart/seed0/teacher/weights.pth',
    ),
)
sync_bn = True
schedules = dict(lr=dict(target='lr', curve='linear', end=0.0, by='iter', warmup_epochs=1, warmup_ratio=0.01))
how_to_get = dict(teacher='make it with: bash tools/quickstart.sh --until teacher')
