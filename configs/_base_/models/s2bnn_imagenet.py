"""S2-BNN (arXiv:2102.08946), distillation only: ReActNet-A with binary activations learns from MoCo v2's ResNet-50.

The student's distribution over the 128 entries of its normalised output meets the teacher's, same view. The paper
says KL; the published code is the cross-entropy, whose gradient is the same. The published script goes on with a
random teacher where the file is missing; here that is an error. Weights start by torch's default, as there. FLOPs and
OPs are counted as models/moco_imagenet.py says.
"""

_base_ = ['./imagenet.py']
model = dict(
    type='S2BNN',
    backbone=dict(
        type='ReActNet', conv_cfg=dict(type='BinaryConv2d', activation=dict(type='ApproxSign')), init='torch'
    ),
    head=dict(
        type='DistillationHead',
        projector=dict(type='MLP', in_channels=1024, widths=[1024, 128], norm=None),
        student_temperature=0.2,
        teacher_temperature=0.2,
    ),
    teacher=dict(
        type='FrozenTeacher',
        backbone=dict(type='TorchvisionResNet', depth=50),
        head=dict(type='ContrastiveHead', projector=dict(type='MLP', in_channels=2048, widths=[2048, 128], norm=None)),
        checkpoint='checkpoints/moco_v2_800ep_pretrain.pth.tar',
        layout='moco_v2_resnet50',
    ),
)
how_to_get = dict(
    teacher="MoCo v2's ResNet-50, 800 epochs: curl -L --create-dirs -o checkpoints/moco_v2_800ep_pretrain.pth.tar "
    'https://dl.fbaipublicfiles.com/moco/moco_checkpoints/moco_v2_800ep/moco_v2_800ep_pretrain.pth.tar; '
    'or name another: --cfg-options model.teacher.checkpoint=PATH'
)
