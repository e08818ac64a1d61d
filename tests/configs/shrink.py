"""Any config at a size that trains in a blink: the same parts, narrow; small random images; made-up teachers."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from binssl.checkpoints import write_checkpoint
from binssl.engine.experiment import plain
from binssl.registry import ALGORITHMS, BACKBONES

BATCH = 8
QUEUE = 2 * BATCH
NORMALIZER = dict(type='ImageNormalizer', mean=[127.5] * 3, std=[127.5] * 3)
SIDES = {224: 32, 96: 24, 32: 32}
REACTNET_A = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
#: what an evaluation finds in its weights file
TRUNK = dict(type='ReActNet')
SMALL_TRUNK = dict(type='ReActNet', channels=[16, 128], strides=[2], stem_stride=1)


def is_small(cfg: Config) -> bool:
    """Whether the config is a twin on the digits, which needs no reduction."""
    dataset = cfg.train_dataloader.dataset
    return dataset.get('dataset', dataset).type == 'Digits'


def small_model(cfg: Config, folder: Path) -> dict[str, Any]:
    """The model's config with widths / 8 in backbones and / 16 in MLPs; teachers' files are made up in ``folder``."""
    model = plain(cfg.model.to_dict())
    if model.get('backbone') is None:  # a weights file would say
        trunk = dict(backbone=SMALL_TRUNK if is_small(cfg) else TRUNK, data_preprocessor=NORMALIZER)
        model.update(deepcopy(trunk))
        model['head']['num_classes'] = model['head']['num_classes'] or BATCH  # the training data would say
    if not is_small(cfg):
        features = _narrow_trunk(model)
        extractor = _narrow_trunk(model['teacher']) if model.get('teacher', {}).get('backbone') else None
        _narrow_head(model['head'], features, extractor)
        if extractor:
            _narrow_head(model['teacher'].get('head'), extractor, None)
        if model.get('target_head'):
            _narrow_mlp(model['target_head'], extractor)
    if model.get('queue_length'):
        model['queue_length'] = QUEUE
    if model.get('teacher', {}).get('type') == 'FrozenTeacher':
        make_up_teacher(model['teacher'], folder / 'teacher.pth')
    return model


def make_up_teacher(teacher: dict[str, Any], path: Path) -> None:
    """Let the teacher's config name a file of random weights that fit it, which is written."""
    parts = {name: teacher.get(name) for name in ('backbone', 'neck', 'head')}
    encoder = ALGORITHMS.build(dict(type='Encoder', **parts))
    write_checkpoint({'format_version': 1, 'state_dict': encoder.state_dict(), 'meta': {}}, path)
    teacher['checkpoint'] = str(path)
    teacher.pop('layout', None)


def small_batch(cfg: Config, seed: int = 0) -> dict[str, Any]:
    """What the training data's loader gives: a uint8 image for each of the config's views, labels, indices."""
    draw = torch.Generator().manual_seed(seed)
    dataset = cfg.train_dataloader.dataset
    if dataset.type == 'VOCDetection':
        image = torch.randint(0, 256, (3, 64, 64), generator=draw, dtype=torch.uint8)
        objects = dict(boxes=[torch.tensor([[8.0, 8, 40, 56]])], labels=[torch.tensor([3])])
        return dict(objects, images=[image], indices=torch.arange(1))
    views = dataset.get('dataset', dataset).get('views') or [None]  # DALI's has the photos' own inside
    sides = [(view or {}).get('size', 8) if is_small(cfg) else SIDES[_side(view)] for view in views]
    images = [torch.randint(0, 256, (BATCH, 3, side, side), generator=draw, dtype=torch.uint8) for side in sides]
    return dict(images=images, labels=torch.arange(BATCH), indices=torch.arange(BATCH))


def _side(view: list[dict]) -> int:
    """Side in pixels of what a view gives: that of its last crop or resize."""
    return [part['size'] for part in view if part['type'].endswith(('Crop', 'BatchResize'))][-1]


def _narrow_trunk(model: dict[str, Any]) -> int:
    """Narrow backbone and neck; gives the width of the features."""
    backbone, neck = model['backbone'], model.get('neck') or {}
    if backbone['type'] == 'TorchvisionModel' and backbone['name'].startswith('resnet'):
        depth = int(backbone['name'].removeprefix('resnet'))
        backbone = model['backbone'] = dict(type='TorchvisionResNet', depth=depth)  # the same, any width
    _narrow_backbone(backbone)
    network = BACKBONES.build(backbone)
    width = network.out_channels
    if neck.get('pool') == 'flatten':
        return width * network.map_size**2
    if neck.get('in_channels'):
        neck['in_channels'] = width
    if not neck.get('widths'):
        return width
    _narrow_mlp(neck, width)
    return neck['widths'][-1]


def _narrow_backbone(backbone: dict[str, Any]) -> None:
    if backbone['type'] == 'ReActNet':
        backbone['channels'] = [width // 8 for width in backbone.get('channels', REACTNET_A)]
    elif backbone['type'] == 'VGG':
        backbone['widths'] = [16, 32, 64]
    elif backbone['type'] in ('ResNet', 'TorchvisionResNet', 'TwoStreamResNet'):
        backbone['widths'] = [max(4, width // 8) for width in backbone.get('widths', (64, 128, 256, 512))]
        backbone['depths'] = [1] * len(backbone['widths'])


def _narrow_head(head: dict[str, Any] | None, features: int, extractor: int | None) -> None:
    """Narrow a head for features of that width, and a target's features of the extractor's."""
    if head is None:
        return
    if head.get('projector'):
        _narrow_mlp(head['projector'], features)
    if head.get('predictor'):
        _narrow_mlp(head['predictor'], head['projector']['widths'][-1])
    for key, value in (('in_channels', features), ('feature_channels', extractor)):
        if head.get(key):
            head[key] = value
    if head.get('prototypes'):
        head['prototypes'] //= 16
    if head.get('min_sizes'):  # a detector's
        head.update(channels=16, min_sizes=[64], max_size=64)


def _narrow_mlp(mlp: dict[str, Any], in_channels: int | None) -> None:
    mlp['in_channels'] = in_channels
    mlp['widths'] = [max(8, width // 16) for width in mlp['widths']]
