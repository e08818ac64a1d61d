"""Published layouts of Bi-Real Net and of ReActNet's ResNet-18."""

from __future__ import annotations

import re
from typing import Any

from binssl.checkpoints.layout import APPROX, CLIPPED, IMAGENET, STEM, Conversion, Shapes, binary_conv

UNITS = {
    'move0': 'units.0.shift', 'binary_conv': 'units.0.conv', 'bn1': 'units.0.norm',
    'move1': 'units.0.activation.shift_in', 'prelu': 'units.0.activation.prelu',
    'move2': 'units.0.activation.shift_out', 'downsample.1': 'shortcut.conv', 'downsample.2': 'shortcut.norm',
}  # fmt: skip


def resnet_name(key: str, shapes: Shapes) -> str | None:
    """Our name for an entry of a published one-convolution ResNet (``layerN.M.unit.leaf``), under ``backbone.``."""
    layer, _, leaf = key.rpartition('.')
    leaf = leaf.replace('weights', 'weight')
    if layer == 'fc':
        return f'head.fc.{leaf}'
    if layer in STEM:
        return f'backbone.{STEM[layer]}.{leaf}'
    match = re.fullmatch(r'layer([1-4])\.(\d+)\.(.+)', layer)
    if match is None or match[3] not in UNITS:
        return key
    return f'backbone.stages.{int(match[1]) - 1}.{match[2]}.{UNITS[match[3]]}.{leaf}'


def _classifier(weight: dict | None, **plan: Any) -> Conversion:
    model = {'type': 'Classifier', 'backbone': {'type': 'ResNet', 'conv_cfg': binary_conv(APPROX, weight), **plan},
             'head': {'type': 'LinearHead', 'in_channels': 512, 'num_classes': 1000},
             'data_preprocessor': IMAGENET}  # fmt: skip
    return Conversion(model, resnet_name)


def resnet_conversions() -> dict[str, Conversion]:
    """Every published layout of a ResNet with a shortcut around each convolution."""
    return {
        'bireal18': _classifier(CLIPPED),
        'bireal34': _classifier(CLIPPED, depths=[6, 8, 12, 6]),
        'reactnet_resnet18_step1': _classifier(None, shift=True, activation='RPReLU'),
        'reactnet_resnet18_step2': _classifier(CLIPPED, shift=True, activation='RPReLU'),
    }
