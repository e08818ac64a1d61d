"""Small configs of every registered algorithm, for images of 8 x 8 pixels."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import torch

from binssl.binary import BINARY
from binssl.checkpoints import write_checkpoint
from binssl.registry import ALGORITHMS

CLASSES = 10

BACKBONE = dict(type='ReActNet', channels=[8, 8, 16], strides=[1, 2], stem_stride=1, conv_cfg=BINARY)
NECK = dict(type='PoolMLP', in_channels=16, widths=[12], last_activation=True)
TEACHER_BACKBONE = dict(type='TorchvisionResNet', depth=18, stem='small', widths=[8, 16], depths=[1, 1])
NORMALIZER = dict(type='ImageNormalizer', mean=[127.5] * 3, std=[127.5] * 3)
TRUNK = dict(backbone=BACKBONE, neck=NECK, data_preprocessor=NORMALIZER)

ENCODER = dict(type='Encoder', **TRUNK)
CLASSIFIER = dict(type='Classifier', head=dict(type='LinearHead', num_classes=CLASSES, in_channels=12), **TRUNK)
SOFT_LABELS = dict(
    CLASSIFIER,
    teacher=dict(
        type='FrozenTeacher',
        backbone=TEACHER_BACKBONE,
        head=dict(type='LinearHead', num_classes=CLASSES, in_channels=16),
    ),
)
MIXED = dict(CLASSIFIER, mix=[dict(type='MixUp', alpha=0.4), dict(type='CutMix')])
MOCO = dict(
    type='MoCo',
    head=dict(type='ContrastiveHead', projector=dict(type='MLP', in_channels=12, widths=[12, 6], norm=None)),
    teacher=dict(type='MomentumTeacher', momentum=0.9),
    queue_length=32,
    **TRUNK,
)
BURN = dict(
    type='BURN',
    head=dict(type='BURNHead', projector=dict(type='MLP', in_channels=12, widths=[20, 20]), feature_channels=16),
    target_head=dict(type='MLP', in_channels=16, widths=[20, 20]),
    teacher=dict(type='FrozenTeacher', backbone=TEACHER_BACKBONE),
    **TRUNK,
)
_LATENT = dict(
    type='LatentPredictionHead',
    projector=dict(type='MLP', in_channels=12, widths=[12, 6]),
    predictor=dict(type='MLP', in_channels=6, widths=[10, 6]),
)
BYOL = dict(type='BYOL', head=_LATENT, teacher=dict(type='MomentumTeacher', momentum=0.9), **TRUNK)
SIMSIAM = dict(
    type='SimSiam',
    head=dict(
        _LATENT,
        projector=dict(
            type='MLP', in_channels=12, widths=[12, 12, 6], bias=False, last_norm=True, last_norm_affine=False
        ),
    ),
    **TRUNK,
)
BARLOW_TWINS = dict(
    type='BarlowTwins',
    head=dict(type='CrossCorrelationHead', projector=dict(type='MLP', in_channels=12, widths=[12, 12, 6], bias=False)),
    **TRUNK,
)
SWAV = dict(
    type='SwAV',
    head=dict(type='PrototypeHead', projector=dict(type='MLP', in_channels=12, widths=[12, 6]), prototypes=7),
    global_crops=2,
    local_crops=2,
    **TRUNK,
)
DISTILLATION = dict(
    type='S2BNN',
    head=dict(type='DistillationHead', projector=MOCO['head']['projector']),
    teacher=dict(
        type='FrozenTeacher',
        backbone=TEACHER_BACKBONE,
        head=dict(type='ContrastiveHead', projector=dict(type='MLP', in_channels=16, widths=[6], norm=None)),
    ),
    **TRUNK,
)
S2BNN = dict(
    DISTILLATION,
    head=dict(DISTILLATION['head'], contrastive_temperature=0.2),
    momentum_teacher=MOCO['teacher'],
    queue_length=32,
)


def changed(config: dict, **changes: object) -> dict:
    """A copy of ``config``; ``head__kl=False`` sets ``config['head']['kl']``."""
    config = copy.deepcopy(config)
    for path, value in changes.items():
        *parts, last = path.split('__')
        inner = config
        for part in parts:
            inner = inner[part]
        inner[last] = value
    return config


def write_teacher(path: Path, backbone: dict = TEACHER_BACKBONE, head: dict | None = None) -> str:
    """Random weights of the teacher's plan, with BatchNorm statistics that are not the initial ones."""
    encoder = ALGORITHMS.build(dict(type='Encoder', backbone=backbone, head=head))
    with torch.no_grad():
        encoder.extract(torch.randn(64, 3, 8, 8))
    write_checkpoint({'format_version': 1, 'state_dict': encoder.state_dict(), 'meta': {}}, path)
    return str(path)


def build(config: dict, folder: Path) -> torch.nn.Module:
    """The algorithm of ``config``, in float64; a frozen teacher without a checkpoint gets a random file.

    A queue of SwAV is in use, as a hook has it once it was filled.
    """
    torch.manual_seed(0)
    if config.get('teacher', {}).get('type') == 'FrozenTeacher' and 'checkpoint' not in config['teacher']:
        path = write_teacher(folder / 'teacher.pth', head=config['teacher'].get('head'))
        config = changed(config, teacher__checkpoint=path)
    model = ALGORITHMS.build(config).double()
    if config['type'] == 'SwAV':
        model.use_queue = model.queue_length > 0
    return model


def sizes(model: torch.nn.Module) -> list[int]:
    """The width of each view that ``model`` trains on: local crops are smaller."""
    local = getattr(model, 'local_crops', 0)
    return [8] * (model.views - local) + [6] * local


def batch(views: int | list[int], images: int = 8, seed: int = 0) -> dict:
    """What the data loader gives: uint8 views, so many of 8 x 8 or one of each given size, labels, indices."""
    draw = torch.Generator().manual_seed(seed)
    widths = [8] * views if isinstance(views, int) else views
    pixels: Callable[[int], torch.Tensor] = lambda width: torch.randint(
        0, 256, (images, 3, width, width), generator=draw, dtype=torch.uint8
    )
    return dict(
        images=[pixels(width) for width in widths], labels=torch.arange(images) % CLASSES, indices=torch.arange(images)
    )


#: ReCU's convolution
RECU = {
    'type': 'BinaryConv2d',
    'activation': {'type': 'UnitVarianceSign'},
    'weight': {'type': 'RectifiedSign'},
    'scale': {'type': 'ChannelScale'},
}
