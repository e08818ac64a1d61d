"""Published layouts of ResNets trained with labels: Bi-Real Net's, ReActNet's, torchvision's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from binssl.checkpoints.layout import (
    APPROX,
    CLIPPED,
    IMAGENET,
    STEM,
    Conversion,
    Rename,
    Shapes,
    binary_conv,
    torchvision_name,
    with_layers,
)

UNITS = {
    'move0': 'units.0.shift',
    'binary_conv': 'units.0.conv',
    'bn1': 'units.0.norm',
    'move1': 'units.0.activation.shift_in',
    'prelu': 'units.0.activation.prelu',
    'move2': 'units.0.activation.shift_out',
    'downsample.1': 'shortcut.conv',
    'downsample.2': 'shortcut.norm',
}
BOTTLENECK = {
    'conv1': 'reduce.conv',
    'bn1': 'reduce.norm',
    'conv2': 'spatial.conv',
    'bn2': 'spatial.norm',
    'conv3': 'expand.conv',
    'bn3': 'expand.norm',
    'down_conv1x1': 'narrow_shortcut',
    'downsample.1': 'wide_shortcut.conv',
    'downsample.2': 'wide_shortcut.norm',
}
DEPTHS_50 = (3, 4, 6, 3)


def one_conv_name(units: Mapping[str, str], stem: Mapping[str, str] = STEM) -> Rename:
    """Names of a ResNet with one convolution in each block.

    Args:
        units: published layer inside a block (``layerN.M``) -> ours.
        stem: published layer of the stem -> ours.

    Returns:
        Published entry -> our name, under ``backbone.`` and ``head.``; the entry itself where it is unknown.
    """

    def rename(key: str, shapes: Shapes) -> str | None:
        layer, _, leaf = key.rpartition('.')
        leaf = {'weights': 'weight', 'alpha': 'scale.alpha'}.get(leaf, leaf)
        if layer == 'fc':
            return f'head.fc.{leaf}'
        if layer in stem:
            return f'backbone.{stem[layer]}.{leaf}'
        match = re.fullmatch(r'layer([1-4])\.(\d+)\.(.+)', layer)
        if match is None or match[3] not in units:
            return key
        return f'backbone.stages.{int(match[1]) - 1}.{match[2]}.{units[match[3]]}.{leaf}'

    return rename


def bireal50_name(key: str, shapes: Shapes) -> str | None:
    """Our name for an entry of the published Bi-Real-50, whose blocks are counted through (``layers.N.layer.leaf``).

    Its first block builds a shortcut that it never uses (None).
    """
    layer, _, leaf = key.rpartition('.')
    if layer in STEM:
        return f'backbone.{STEM[layer]}.{leaf}'
    match = re.fullmatch(r'layers\.(\d+)\.(.+)', layer)
    if match is None or match[2] not in BOTTLENECK or int(match[1]) >= sum(DEPTHS_50):
        return key
    block = int(match[1])
    if block == 0 and match[2] == 'down_conv1x1':
        return None
    starts = [0, *accumulate(DEPTHS_50)]
    stage = max(index for index, start in enumerate(starts) if start <= block)
    return f'backbone.stages.{stage}.{block - starts[stage]}.{BOTTLENECK[match[2]]}.{leaf}'


def imagenet_classifier(backbone: dict[str, Any], width: int, **parts: Any) -> dict[str, Any]:
    """Config of a classifier of ImageNet's 1000 classes: its backbone, the head's width, other parts."""
    head = {'type': 'LinearHead', 'in_channels': width, 'num_classes': 1000}
    return {'type': 'Classifier', 'backbone': backbone, **parts, 'head': head, 'data_preprocessor': IMAGENET}


def _one_conv(weight: dict | None, **plan: Any) -> Conversion:
    backbone = {'type': 'ResNet', 'conv_cfg': binary_conv(APPROX, weight), **plan}
    return Conversion(imagenet_classifier(backbone, 512), one_conv_name(UNITS))


def _bireal50() -> Conversion:
    backbone = {'type': 'TwoStreamResNet', 'conv_cfg': binary_conv(APPROX, CLIPPED)}
    return Conversion(imagenet_classifier(backbone, 2048), with_layers(bireal50_name, {'fc': 'head.fc'}))


def _torchvision(name: str, width: int) -> Conversion:
    backbone = {'type': 'TorchvisionModel', 'name': name}
    return Conversion(imagenet_classifier(backbone, width), with_layers(torchvision_name, {'fc': 'head.fc'}))


def resnet_conversions() -> dict[str, Conversion]:
    """Every published layout of a binary ResNet without ReCU, and of the real teachers of torchvision."""
    return {
        'bireal18': _one_conv(CLIPPED),
        'bireal34': _one_conv(CLIPPED, depths=[6, 8, 12, 6]),
        'bireal50': _bireal50(),
        'reactnet_resnet18_step1': _one_conv(None, shift=True, activation='RPReLU'),
        'reactnet_resnet18_step2': _one_conv(CLIPPED, shift=True, activation='RPReLU'),
        'torchvision_resnet18': _torchvision('resnet18', 512),
        'torchvision_resnet34': _torchvision('resnet34', 512),
        'torchvision_resnet50': _torchvision('resnet50', 2048),
    }
