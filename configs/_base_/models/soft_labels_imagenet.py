"""ReActNet's loss (arXiv:2003.03488): the cross-entropy with what torchvision's ResNet-34 answers, no hard labels."""

_base_ = ['./imagenet.py']
model = dict(
    type='Classifier',
    teacher=dict(
        type='FrozenTeacher',
        backbone=dict(type='TorchvisionModel', name='resnet34'),
        head=dict(type='LinearHead', num_classes=1000, in_channels=512),
        checkpoint='checkpoints/resnet34-b627a593.pth',
        layout='torchvision_resnet34',
    ),
)
how_to_get = dict(
    teacher="torchvision's ResNet-34, 73.3 top-1: curl -L --create-dirs -o checkpoints/resnet34-b627a593.pth "
    'https://download.pytorch.org/models/resnet34-b627a593.pth; '
    'or name another: --cfg-options model.teacher.checkpoint=PATH'
)
