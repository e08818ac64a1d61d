"""Published layouts of label-free real ResNet-50s: MoCo v2, SwAV (also wide), BYOL, SimSiam.

=============================  ==================================================================================
moco_v2_resnet50               facebookresearch/moco: ``module.encoder_q.``, ``fc.0``, ``fc.2``
swav_resnet50, ...w2, ...w4    facebookresearch/swav: bare or under ``state_dict``, ``module.``, ``projection_head.N``,
                               ``prototypes``; w2 and w4 have a hidden layer of 8192
simsiam_resnet50               facebookresearch/simsiam: ``module.encoder.``, ``encoder.fc.N``, ``predictor.N``
byol_resnet50                  open-mmlab (MMSelfSup, MMPretrain) training checkpoints: ``backbone.``, ``neck.fcN``,
                               ``head.predictor.fcN``, ``target_net.``; no bias in the last layers
byol_resnet50_openselfsup      OpenSelfSup, as BURN's release: ``backbone.`` (again as ``online_net.0``),
                               ``online_net.1.mlp.N``, ``head.predictor.mlp.N``
byol_resnet50_lucidrains       lucidrains/byol-pytorch around torchvision's resnet50: ``online_encoder.net.`` (again
                               as ``net.``), ``online_encoder.projector.N``, ``online_predictor.N``
resnet50_trunk                 the trunk alone, as open-mmlab publishes its models: bare, ``backbone.``, ``encoder.``
=============================  ==================================================================================

The original BYOL is a JAX pickle, which is no PyTorch file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from binssl.checkpoints.layout import (
    IMAGENET,
    MOCO_LAYERS,
    Conversion,
    Shapes,
    behind,
    moco_head,
    torchvision_name,
    with_layers,
)


def _encoder(head: dict | None = None, widen: int = 1) -> dict[str, Any]:
    """Config of a ResNet-50, ``widen`` times as wide."""
    backbone: dict[str, Any] = {'type': 'TorchvisionResNet', 'depth': 50}
    if widen > 1:
        backbone['widths'] = [64 * widen, 128 * widen, 256 * widen, 512 * widen]
    parts = {'backbone': backbone} if head is None else {'backbone': backbone, 'head': head}
    return {'type': 'Encoder', **parts, 'data_preprocessor': IMAGENET}


def _layers(theirs: str, ours: str, names: Mapping[str, str]) -> dict[str, str]:
    """Layer by layer: ``{'fc.0': 'head.projector.linear0'}`` from ``theirs`` 'fc' and ``names`` {'0': 'linear0'}."""
    return {f'{theirs}.{name}': f'{ours}.{layer}' for name, layer in names.items()}


SEQUENTIAL = {'0': 'linear0', '1': 'norm0', '3': 'linear1'}  # of Linear, BatchNorm, ReLU, Linear
SIMSIAM_PROJECTOR = {**SEQUENTIAL, '4': 'norm1', '6': 'linear2', '7': 'norm2'}
NUMBERED = {'fc0': 'linear0', 'bn0': 'norm0', 'fc1': 'linear1'}


def _swav(widen: int, hidden: int) -> Conversion:
    projector = {'type': 'MLP', 'in_channels': 2048 * widen, 'widths': [hidden, 128], 'norm': 'BN'}
    head = {'type': 'PrototypeHead', 'projector': projector, 'prototypes': 3000, 'temperature': 0.1}
    layers = {**_layers('projection_head', 'head.projector', SEQUENTIAL), 'prototypes': 'head.prototypes'}
    return Conversion(_encoder(head, widen), with_layers(torchvision_name, layers))


def _simsiam() -> Conversion:
    # the published last layer keeps the bias of the fc that it was made of, in front of a BatchNorm
    mlp = {'type': 'MLP', 'in_channels': 2048, 'bias': False, 'last_bias': True}
    projector = {**mlp, 'widths': [2048, 2048, 2048], 'last_norm': True, 'last_norm_affine': False}
    predictor = {**mlp, 'widths': [512, 2048]}
    head = {'type': 'LatentPredictionHead', 'projector': projector, 'predictor': predictor}
    layers = {
        **_layers('encoder.fc', 'head.projector', SIMSIAM_PROJECTOR),
        **_layers('predictor', 'head.predictor', SEQUENTIAL),
    }
    return Conversion(_encoder(head), with_layers(behind('encoder.', torchvision_name), layers))


def _byol(
    trunk: str,
    projector: str,
    predictor: str,
    names: Mapping[str, str],
    copies: tuple[str, ...],
    last_bias: bool = True,
) -> Conversion:
    mlp = {'type': 'MLP', 'widths': [4096, 256], 'last_bias': last_bias}
    projecting, predicting = {**mlp, 'in_channels': 2048}, {**mlp, 'in_channels': 256}
    head = {'type': 'LatentPredictionHead', 'projector': projecting, 'predictor': predicting}
    layers = {**_layers(projector, 'head.projector', names), **_layers(predictor, 'head.predictor', names)}
    return Conversion(_encoder(head), with_layers(behind(trunk, _without_classifier), layers), copies=copies)


def _without_classifier(key: str, shapes: Shapes) -> str | None:
    """As :func:`torchvision_name`; the ``fc`` of a whole torchvision network is never used."""
    return None if key in ('fc.weight', 'fc.bias') else torchvision_name(key, shapes)


def selfsup_conversions() -> dict[str, Conversion]:
    """Every published layout of a label-free ResNet-50."""
    moco = with_layers(torchvision_name, MOCO_LAYERS)
    query = ('module.encoder_q.', 'encoder_q.', 'module.', '')
    parts = ('encoder_q.', 'encoder.', 'backbone.', '')
    trunk = tuple(module + part for part in parts for module in ('module.', ''))
    return {
        'moco_v2_resnet50': Conversion(_encoder(moco_head(2048)), moco, query),
        'swav_resnet50': _swav(1, 2048),
        'swav_resnet50w2': _swav(2, 8192),
        'swav_resnet50w4': _swav(4, 8192),
        'simsiam_resnet50': _simsiam(),
        'byol_resnet50': _byol('backbone.', 'neck', 'head.predictor', NUMBERED, ('target_net',), last_bias=False),
        'byol_resnet50_openselfsup': _byol(
            'backbone.', 'online_net.1.mlp', 'head.predictor.mlp', SEQUENTIAL, ('target_net', 'online_net.0')
        ),
        'byol_resnet50_lucidrains': _byol(
            'online_encoder.net.', 'online_encoder.projector', 'online_predictor', SEQUENTIAL, ('target_encoder', 'net')
        ),
        'resnet50_trunk': Conversion(_encoder(), torchvision_name, trunk),
    }
