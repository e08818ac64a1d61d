"""Published layouts of networks trained with labels: Bi-Real Net's, ReActNet's and torchvision's ResNets, and ReCU's.

ReCU (arXiv:2103.12369) has ResNets and a VGG-small for CIFAR-10, ResNets for ImageNet. Each of its convolutions keeps
its ``tau`` as a buffer; ours has one tau for the network, in its config.
"""

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

RECU_CONV = {
    'type': 'BinaryConv2d',
    'activation': {'type': 'UnitVarianceSign'},
    'weight': {'type': 'RectifiedSign'},
    'scale': {'type': 'ChannelScale'},
}
SETTINGS = {'tau': ('backbone', 'conv_cfg', 'weight', 'tau')}
LEAVES = {'weights': 'weight', 'alpha': 'scale.alpha'}
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
TWO_STAGE = {**UNITS, 'conv': 'units.0.conv', 'bn': 'units.0.norm', 'nonlinear': 'units.0.activation.prelu'}
VGG_SMALL = {
    f'{theirs}{number}': f'{place}.{ours}'
    for number, place in enumerate(('stem', 'stages.0.0', 'stages.1.0', 'stages.1.1', 'stages.2.0', 'stages.2.1'))
    for theirs, ours in (('conv', 'conv'), ('bn', 'norm'))
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


def staged_name(layers: Mapping[str, tuple[int, str]], blocks: int = 1, stem: Mapping[str, str] = STEM) -> Rename:
    """Names of a ResNet whose entries are called ``layerN.M.layer.leaf``: ours are under ``backbone.``.

    Args:
        layers: published layer inside a block (``layerN.M``) -> which of our blocks it is in, and its name there.
        blocks: of ours in a published one.
        stem: published layer of the stem -> ours.
    """

    def rename(key: str, shapes: Shapes) -> str | None:
        layer, _, leaf = key.rpartition('.')
        leaf = LEAVES.get(leaf, leaf)
        if layer in stem:
            return f'backbone.{stem[layer]}.{leaf}'
        match = re.fullmatch(r'layer([1-4])\.(\d+)\.(.+)', layer)
        if match is None or match[3] not in layers:
            return key
        place, ours = layers[match[3]]
        return f'backbone.stages.{int(match[1]) - 1}.{blocks * int(match[2]) + place}.{ours}.{leaf}'

    return rename


def one_conv_name(layers: Mapping[str, str], stem: Mapping[str, str] = STEM) -> Rename:
    """Names of a ResNet with one convolution in each block: ``layers`` are a block's, published name -> ours."""
    trunk = staged_name({theirs: (0, ours) for theirs, ours in layers.items()}, stem=stem)
    return with_layers(trunk, {'fc': 'head.fc'})


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
    return staged_name(layers, blocks)


def vgg_small_name(key: str, shapes: Shapes) -> str | None:
    """Our name for an entry of ReCU's VGG-small (``convN``, ``bnN``)."""
    layer, _, leaf = key.rpartition('.')
    return f'backbone.{VGG_SMALL[layer]}.{LEAVES.get(leaf, leaf)}' if layer in VGG_SMALL else key


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


def resnet_conversions() -> dict[str, Conversion]:
    """Every published layout of a network that was trained with labels, but ReActNet-A's."""
    ends = {'bn2': 'neck.norm', 'linear': 'head.fc', 'fc': 'head.fc'}
    around_both, around_each = (with_layers(two_conv_name(blocks), ends) for blocks in (1, 2))
    cifar = {'type': 'ResNet', 'stem': 'small', 'activation': 'Hardtanh', 'shortcut': 'pad'}
    resnet20 = {**cifar, 'widths': [16, 32, 64], 'depths': [6, 6, 6], 'stem_activation': 'Hardtanh'}
    resnet18 = {**cifar, 'depths': [2, 2, 2, 2], 'convs_per_shortcut': 2}
    hardtanh: dict[str, Any] = {'stem_activation': 'Hardtanh', 'activation': 'Hardtanh'}
    imagenet = {**hardtanh, 'shortcut': 'conv', 'neck': _neck(512)}
    vgg = with_layers(vgg_small_name, {'fc': 'head.fc'})
    two_stage = one_conv_name(TWO_STAGE, {'conv': 'stem.conv', 'bn': 'stem.norm'})
    return {
        'bireal18': _one_conv(CLIPPED),
        'bireal34': _one_conv(CLIPPED, depths=[6, 8, 12, 6]),
        'bireal50': _bireal50(),
        'reactnet_resnet18_step1': _one_conv(None, shift=True, activation='RPReLU'),
        'reactnet_resnet18_step2': _one_conv(CLIPPED, shift=True, activation='RPReLU'),
        'torchvision_resnet18': _torchvision('resnet18', 512),
        'torchvision_resnet34': _torchvision('resnet34', 512),
        'torchvision_resnet50': _torchvision('resnet50', 2048),
        'recu_resnet20_cifar': _cifar10(resnet20, 64, around_each, _neck(64)),
        'recu_resnet18_cifar': _cifar10(resnet18, 512, around_both, _neck(512)),
        'recu_vgg_small_cifar': _cifar10(
            {'type': 'VGG', 'input_size': 32}, 8192, vgg, {'type': 'PoolMLP', 'pool': 'flatten'}
        ),
        'recu_resnet18_imagenet': _imagenet(around_each, **imagenet),
        'recu_resnet34_imagenet': _imagenet(around_each, **imagenet, depths=[6, 8, 12, 6]),
        'recu_twostage_resnet18': _imagenet(two_stage, shift=True, activation='RPReLU', shortcut='pool'),
    }
