"""BURN, ReActNet-A with fc, 2000 classes; extractor: ResNet-50 of MoCo v2, 800 epochs (arXiv:2110.08851).

Weights start as in the release: convolutions by fan in, both classifiers by Kaiming's rule, biases 0. Untrained, the
answers of g have an entropy of 1.98 nats, and 3.92 of information of image and class (torch's default: 5.60 and 1.36).
"""

_base_ = ['./imagenet.py']
model = dict(
    type='BURN',
    backbone=dict(type='ReActNet', init='kaiming_fan_in'),
    neck=dict(type='PoolMLP', in_channels=1024, widths=[1024], last_activation=True),
    head=dict(
        type='BURNHead',
        projector=dict(type='MLP', in_channels=1024, widths=[2000, 2000], init='kaiming'),
        temperature=0.2,
        kl_weight=0.1,
        feature_similarity='features',
        feature_channels=2048,
    ),
    teacher=dict(
        type='FrozenTeacher',
        backbone=dict(type='TorchvisionResNet', depth=50),
        checkpoint='checkpoints/moco_v2_800ep_pretrain.pth.tar',
    ),
    target_head=dict(type='MLP', in_channels=2048, widths=[2000, 2000], init='kaiming'),
)
sync_bn = ['head', 'target_head']
schedules = dict(kl_weight=dict(target='head.kl_weight', curve='cosine', start=0.1, end=0.3))
how_to_get = dict(
    teacher="MoCo v2's ResNet-50, 800 epochs: curl -L --create-dirs -o checkpoints/moco_v2_800ep_pretrain.pth.tar "
    'https://dl.fbaipublicfiles.com/moco/moco_checkpoints/moco_v2_800ep/moco_v2_800ep_pretrain.pth.tar; '
    'or name another: --cfg-options model.teacher.checkpoint=PATH'
)
