"""The parts of a published layout: the model of ours that it holds, and how its entries are renamed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Shapes = Mapping[str, tuple[int, ...]]
Rename = Callable[[str, Shapes], str | None]

IMAGENET = {'type': 'ImageNormalizer', 'mean': [123.675, 116.28, 103.53], 'std': [58.395, 57.12, 57.375]}
APPROX, BOX = {'type': 'ApproxSign'}, {'type': 'BoxSign'}
CLIPPED = {'type': 'ScaledSign', 'ste': 'clip'}
STEM = {'conv1': 'stem.conv', 'bn1': 'stem.norm'}


@dataclass(frozen=True)
class Conversion:
    """One published layout.

    Args:
        model: config of the Encoder or Classifier that it holds.
        rename: (published name without prefix, shapes of all entries) -> our name; None for an entry that
            the published network builds and never uses; the name itself where it is unknown.
        prefixes: what may stand before the names; entries under another prefix (momentum copy, queue) are
            left out. The first that occurs counts.
        copies: parts behind the prefix that are left out too: momentum copies, a second name of the same weights.
        target_head: config of BURN's target classifier, where the file has it for a next stage.
        settings: numbers that the published file keeps in every layer and ours in its config, by the last part of
            their names: where in ``model`` each belongs.
    """

    model: dict[str, Any]
    rename: Rename
    prefixes: tuple[str, ...] = ('module.', '')
    copies: tuple[str, ...] = ()
    target_head: dict[str, Any] | None = None
    settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def with_layers(rename: Rename, layers: Mapping[str, str]) -> Rename:
    """``rename`` for the trunk, and for single layers by name: ``{'fc.0': 'neck.mlp.linear0'}``."""

    def rename_whole(key: str, shapes: Shapes) -> str | None:
        layer, _, leaf = key.rpartition('.')
        return f'{layers[layer]}.{leaf}' if layer in layers else rename(key, shapes)

    return rename_whole


def torchvision_name(key: str, shapes: Shapes) -> str | None:
    """Our name for an entry of a torchvision ResNet: the same, under ``backbone.``."""
    return f'backbone.{key}' if re.match(r'(conv1|bn1|layer\d)\.', key) else key


def behind(prefix: str, rename: Rename) -> Rename:
    """``rename`` for the entries whose names start with ``prefix``; the others keep theirs."""

    def rename_inside(key: str, shapes: Shapes) -> str | None:
        inside = key.removeprefix(prefix)
        if inside == key:
            return key
        ours = rename(inside, {name.removeprefix(prefix): shape for name, shape in shapes.items()})
        return key if ours == inside else ours

    return rename_inside


def binary_conv(activation: dict, weight: dict | None) -> dict[str, Any]:
    """Config of a convolution with binary inputs, and with binary weights where ``weight`` is given."""
    config: dict[str, Any] = {'type': 'BinaryConv2d', 'activation': activation}
    return config if weight is None else {**config, 'weight': weight}


def moco_head(width: int) -> dict[str, Any]:
    """MoCo v2's projector."""
    projector = {'type': 'MLP', 'in_channels': width, 'widths': [width, 128], 'norm': None}
    return {'type': 'ContrastiveHead', 'projector': projector}


MOCO_LAYERS = {'fc.0': 'head.projector.linear0', 'fc.2': 'head.projector.linear1'}
