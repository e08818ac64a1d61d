"""Every method x backbone x precision: block plans at an eighth of the width, for images of 32 px."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contracts.small import BARLOW_TWINS, BURN, BYOL, DISTILLATION, MOCO, S2BNN, SIMSIAM, SWAV, changed, write_teacher

from binssl.binary import BINARY, BINARY_INPUT, REAL
from binssl.registry import BACKBONES

SIDE, LOCAL_SIDE, IMAGES = 32, 24, 8
STUDENT = frozenset({'backbone', 'head'})

PRECISIONS = {'real': REAL, 'binary input': BINARY_INPUT, 'binary': BINARY}
REACTNET_A = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
WIDTHS = [8, 16, 32, 64]
PLANS: dict[str, dict[str, Any]] = {
    'ReActNet-A': dict(type='ReActNet', channels=[width // 8 for width in REACTNET_A]),
    'ReActNet-18': dict(type='ResNet', widths=WIDTHS, shift=True, activation='RPReLU'),
    'ResNet-18': dict(type='ResNet', widths=WIDTHS, depths=[2, 2, 2, 2], convs_per_shortcut=2, shortcut='conv'),
}
#: config for another trunk; the parts that learn
METHODS = {
    'MoCo': (MOCO, STUDENT),
    'S2BNN, distillation only': (DISTILLATION, STUDENT),
    'S2BNN, contrastive and distillation': (S2BNN, STUDENT),
    'BYOL': (BYOL, STUDENT),
    'SimSiam': (SIMSIAM, STUDENT),
    'BarlowTwins': (BARLOW_TWINS, STUDENT),
    'SwAV': (changed(SWAV, queue_length=2 * IMAGES), STUDENT),
    'BURN': (BURN, STUDENT | {'neck', 'target_head'}),
}
ROWS = [(method, plan, precision) for method in METHODS for plan in PLANS for precision in PRECISIONS]


def backbone_config(plan: str, precision: str) -> dict[str, Any]:
    """The backbone; a real ResNet has ReLUs, in whose place a sign needs something that can be negative."""
    config = dict(PLANS[plan], conv_cfg=PRECISIONS[precision], input_size=SIDE)
    if plan == 'ResNet-18':
        activation = 'ReLU' if precision == 'real' else 'Hardtanh'
        config.update(activation=activation, stem_activation=activation)
    return config


def model_config(method: str, plan: str, precision: str, folder: Path) -> dict[str, Any]:
    """The algorithm; a frozen teacher's file is made in ``folder``."""
    config, _ = METHODS[method]
    backbone = backbone_config(plan, precision)
    width = BACKBONES.build(backbone).out_channels
    if method == 'BURN':  # the fc behind the trunk is a part of the method
        config = changed(config, backbone=backbone, neck__in_channels=width)
    else:
        config = changed(config, backbone=backbone, neck=None, head__projector__in_channels=width)
    return with_teacher(config, folder)


def with_teacher(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """``config``, whose frozen teacher, if it has one, has a file."""
    if config.get('teacher', {}).get('type') != 'FrozenTeacher':
        return config
    path = write_teacher(folder / 'teacher.pth', head=config['teacher'].get('head'))
    return changed(config, teacher__checkpoint=path)


def views(config: Mapping[str, Any], count: int) -> list[int]:
    """The side of each of ``count`` views, the smaller local crops last."""
    local = config.get('local_crops', 0)
    return [SIDE] * (count - local) + [LOCAL_SIDE] * local
