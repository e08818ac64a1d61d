"""Layouts of published checkpoints: which model of ours each holds, and what its entries are called.

A new layout is a function from a published name to ours, and a row in ``CONVERSIONS``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Shapes = Mapping[str, tuple[int, ...]]
Rename = Callable[[str, Shapes], str | None]


@dataclass(frozen=True)
class Conversion:
    """One published layout.

    Args:
        model: config of the Encoder or Classifier that it holds.
        rename: (published name without prefix, shapes of all entries) -> our name; None for an entry that
            the published network builds and never uses; the name itself where it is unknown.
        prefixes: what may stand before the names; entries under another prefix (momentum copy, queue) are
            left out. The first that occurs counts.
    """

    model: dict[str, Any]
    rename: Rename
    prefixes: tuple[str, ...] = ('module.', '')


REACTNET_UNITS = {
    'move11': 'spatial.shift', 'binary_3x3': 'spatial.conv', 'bn1': 'spatial.norm',
    'move12': 'spatial.activation.shift_in', 'prelu1': 'spatial.activation.prelu',
    'move13': 'spatial.activation.shift_out', 'move21': 'pointwise.shift',
    'move22': 'pointwise.activation.shift_in', 'prelu2': 'pointwise.activation.prelu',
    'move23': 'pointwise.activation.shift_out',
}
KEPT_WIDTH = {'binary_pw': 'pointwise.convs.0', 'bn2': 'pointwise.norms.0'}
DOUBLED_WIDTH = {'binary_pw_down1': 'pointwise.convs.0', 'binary_pw_down2': 'pointwise.convs.1',
                 'bn2_1': 'pointwise.norms.0', 'bn2_2': 'pointwise.norms.1'}
STEM = {'conv1': 'stem.conv', 'bn1': 'stem.norm'}


def reactnet_name(key: str, shapes: Shapes) -> str | None:
    """Our name for an entry of the published ReActNet-A (``feature.N.unit.leaf``), under ``backbone.``.

    S2-BNN's blocks build the 1x1 branch of both kinds of block and use one: the other is dead (None).
    """
    match = re.fullmatch(r'feature\.(\d+)\.(\w+)\.(\w+)', key)
    if match is None:
        return key
    number, unit, leaf = int(match[1]), match[2], match[3].replace('weights', 'weight')
    if number == 0:
        return f'backbone.{STEM[unit]}.{leaf}' if unit in STEM else key
    before, after = (shapes.get(f'feature.{number}.{shift}.bias', ()) for shift in ('move11', 'move22'))
    used, dead = (KEPT_WIDTH, DOUBLED_WIDTH) if before == after else (DOUBLED_WIDTH, KEPT_WIDTH)
    if unit in dead:
        return None
    ours = (REACTNET_UNITS | used).get(unit)
    return f'backbone.blocks.{number - 1}.{ours}.{leaf}' if ours else key


def _with_tail(rename: Rename, tail: Mapping[str, str]) -> Rename:
    """``rename`` for the trunk, and for layers behind it by name: ``{'fc.0': 'neck.mlp.linear0'}``."""

    def rename_whole(key: str, shapes: Shapes) -> str | None:
        layer, _, leaf = key.rpartition('.')
        return f'{tail[layer]}.{leaf}' if layer in tail else rename(key, shapes)
    return rename_whole


IMAGENET = {'type': 'ImageNormalizer', 'mean': [123.675, 116.28, 103.53], 'std': [58.395, 57.12, 57.375]}
APPROX, BOX = {'type': 'ApproxSign'}, {'type': 'BoxSign'}
CLIPPED = {'type': 'ScaledSign', 'ste': 'clip'}
BURN_WEIGHT = {'type': 'ScaledSign', 'ste': 'identity', 'scale_gradient': True}
BURN_NECK = {'type': 'PoolMLP', 'in_channels': 1024, 'widths': [1024], 'norm': None, 'last_activation': True}
MOCO_TAIL = {'fc.0': 'head.projector.linear0', 'fc.2': 'head.projector.linear1'}


def _moco_head(width: int) -> dict[str, Any]:
    projector = {'type': 'MLP', 'in_channels': width, 'widths': [width, 128], 'norm': None}
    return {'type': 'ContrastiveHead', 'projector': projector}


def _reactnet(activation: dict, weight: dict | None, kind: str = 'Encoder', **parts: dict) -> dict[str, Any]:
    """Config of a network with a ReActNet-A backbone, its other parts given."""
    conv: dict[str, Any] = {'type': 'BinaryConv2d', 'activation': activation}
    if weight is not None:
        conv['weight'] = weight
    backbone = {'type': 'ReActNet', 'conv_cfg': conv}
    return {'type': kind, 'backbone': backbone, **parts, 'data_preprocessor': IMAGENET}


def _reactnet_family() -> dict[str, Conversion]:
    burn = _with_tail(reactnet_name, {'fc.0': 'neck.mlp.linear0'})
    s2bnn = _with_tail(reactnet_name, MOCO_TAIL)
    with_fc = _with_tail(reactnet_name, {'fc': 'head.fc'})
    query = ('module.encoder_q.', 'encoder_q.', '')
    fc = {'type': 'LinearHead', 'in_channels': 1024, 'num_classes': 1000}
    moco = _moco_head(1024)
    return {
        'burn_reactnet': Conversion(_reactnet(BOX, BURN_WEIGHT, neck=BURN_NECK), burn),
        'burn_reactnet_binact': Conversion(_reactnet(BOX, None, neck=BURN_NECK), burn),
        's2bnn_step1_reactnet_mlp': Conversion(_reactnet(APPROX, None, head=moco), s2bnn, query),
        's2bnn_step2_reactnet_mlp': Conversion(_reactnet(APPROX, CLIPPED, head=moco), s2bnn, query),
        'reactnet_mobilenet_step1': Conversion(_reactnet(APPROX, None, 'Classifier', head=fc), with_fc),
        'reactnet_mobilenet_step2': Conversion(_reactnet(APPROX, CLIPPED, 'Classifier', head=fc), with_fc),
    }


def torchvision_name(key: str, shapes: Shapes) -> str | None:
    """Our name for an entry of a torchvision ResNet: the same, under ``backbone.``."""
    return f'backbone.{key}' if re.match(r'(conv1|bn1|layer\d)\.', key) else key


def _teachers() -> dict[str, Conversion]:
    """Published real-valued teachers, with the projector that they were trained with as the head."""
    model = {'type': 'Encoder', 'backbone': {'type': 'TorchvisionResNet', 'depth': 50},
             'head': _moco_head(2048), 'data_preprocessor': IMAGENET}
    moco = _with_tail(torchvision_name, MOCO_TAIL)
    return {'moco_v2_resnet50': Conversion(model, moco, ('module.encoder_q.', ''))}


CONVERSIONS: dict[str, Conversion] = {**_reactnet_family(), **_teachers()}
