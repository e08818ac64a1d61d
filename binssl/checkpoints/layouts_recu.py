"""Published layouts of ReCU (arXiv:2103.12369): ResNets and VGG-small for CIFAR-10, ResNets for ImageNet.

Every convolution keeps its ``tau`` as a buffer; ours has one tau for the network, in its config.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from binssl.checkpoints.layout import IMAGENET, STEM, Conversion, Rename, Shapes, with_layers
from binssl.checkpoints.layouts_resnet import UNITS, imagenet_classifier, one_conv_name

RECU_CONV = {
    'type': 'BinaryConv2d',
    'activation': {'type': 'UnitVarianceSign'},
    'weight': {'type': 'RectifiedSign'},
    'scale': {'type': 'ChannelScale'},
}
SETTINGS = {'tau': ('backbone', 'conv_cfg', 'weight', 'tau')}
LEAVES = {'alpha': 'scale.alpha'}
TWO_STAGE = {**UNITS, 'conv': 'units.0.conv', 'bn': 'units.0.norm', 'nonlinear': 'units.0.activation.prelu'}
VGG_SMALL = {
    'conv0': 'stem.conv',
    'bn0': 'stem.norm',
    'conv1': 'stages.0.0.conv',
    'bn1': 'stages.0.0.norm',
    'conv2': 'stages.1.0.conv',
    'bn2': 'stages.1.0.norm',
    'conv3': 'stages.1.1.conv',
    'bn3': 'stages.1.1.norm',
    'conv4': 'stages.2.0.conv',
    'bn4': 'stages.2.0.norm',
    'conv5': 'stages.2.1.conv',
    'bn5': 'stages.2.1.norm',
}


def two_conv_name(blocks: int) -> Rename:
    """Names of a ResNet of ReCU, with two convolutions in each published block (``layerN.M.convK.leaf``).

    Args:
        blocks: of ours in a published one: 2 with a shortcut around each convolution, 1 with one around both.
    """
    offset, unit = (1, 0) if blocks == 2 else (0, 1)  # of the second convolution
    layers = {
        'conv1': (0, 'units.0.conv'),
        'bn1': (0, 'units.0.norm'),
        'conv2': (offset, f'units.{unit}.conv'),
        'bn2': (offset, f'units.{unit}.norm'),
        'downsample.0': (0, 'shortcut.conv'),
        'downsample.1': (0, 'shortcut.norm'),
    }

    def rename(key: str, shapes: Shapes) -> str | None:
        layer, _, leaf = key.rpartition('.')
        if layer in STEM:
            return f'backbone.{STEM[layer]}.{leaf}'
        match = re.fullmatch(r'layer([1-4])\.(\d+)\.(.+)', layer)
        if match is None or match[3] not in layers:
            return key
        place, ours = layers[match[3]]
        block = blocks * int(match[2]) + place
        return f'backbone.stages.{int(match[1]) - 1}.{block}.{ours}.{LEAVES.get(leaf, leaf)}'

    return rename


def vgg_small_name(key: str, shapes: Shapes) -> str | None:
    """Our name for an entry of ReCU's VGG-small (``convN``, ``bnN``)."""
    layer, _, leaf = key.rpartition('.')
    return f'backbone.{VGG_SMALL[layer]}.{LEAVES.get(leaf, leaf)}' if layer in VGG_SMALL else key


def _cifar10(backbone: Mapping[str, Any], width: int, rename: Rename, neck: dict[str, Any]) -> Conversion:
    model = {
        'type': 'Classifier',
        'backbone': {**backbone, 'conv_cfg': RECU_CONV},
        'neck': neck,
        'head': {'type': 'LinearHead', 'in_channels': width, 'num_classes': 10},
        'data_preprocessor': IMAGENET,
    }
    return Conversion(model, rename, settings=SETTINGS)


def _imagenet(rename: Rename, neck: dict[str, Any] | None = None, **plan: Any) -> Conversion:
    parts = {} if neck is None else {'neck': neck}
    model = imagenet_classifier({'type': 'ResNet', **plan, 'conv_cfg': RECU_CONV}, 512, **parts)
    return Conversion(model, rename, settings=SETTINGS)


def _neck(width: int) -> dict[str, Any]:
    return {'type': 'PoolMLP', 'in_channels': width, 'pool_norm': 'BN'}


def recu_conversions() -> dict[str, Conversion]:
    """Every published layout of ReCU."""
    ends = {'bn2': 'neck.norm', 'linear': 'head.fc', 'fc': 'head.fc'}
    around_both, around_each = (with_layers(two_conv_name(blocks), ends) for blocks in (1, 2))
    cifar = {'type': 'ResNet', 'stem': 'small', 'activation': 'Hardtanh', 'shortcut': 'pad'}
    resnet20 = {**cifar, 'widths': [16, 32, 64], 'depths': [6, 6, 6], 'stem_activation': 'Hardtanh'}
    resnet18 = {**cifar, 'depths': [2, 2, 2, 2], 'convs_per_shortcut': 2}
    imagenet: dict[str, Any] = {
        'stem_activation': 'Hardtanh',
        'activation': 'Hardtanh',
        'shortcut': 'conv',
        'neck': _neck(512),
    }
    vgg = with_layers(vgg_small_name, {'fc': 'head.fc'})
    two_stage = one_conv_name(TWO_STAGE, {'conv': 'stem.conv', 'bn': 'stem.norm'})
    return {
        'recu_resnet20_cifar': _cifar10(resnet20, 64, around_each, _neck(64)),
        'recu_resnet18_cifar': _cifar10(resnet18, 512, around_both, _neck(512)),
        'recu_vgg_small_cifar': _cifar10(
            {'type': 'VGG', 'input_size': 32}, 8192, vgg, {'type': 'PoolMLP', 'pool': 'flatten'}
        ),
        'recu_resnet18_imagenet': _imagenet(around_each, **imagenet),
        'recu_resnet34_imagenet': _imagenet(around_each, **imagenet, depths=[6, 8, 12, 6]),
        'recu_twostage_resnet18': _imagenet(two_stage, shift=True, activation='RPReLU', shortcut='pool'),
    }
