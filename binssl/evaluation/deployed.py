"""The deployed part of a training config, and the size of its images: the network whose cost counts."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from binssl.evaluation.cost import CostReport, measure_cost
from binssl.registry import ALGORITHMS, TRANSFORMS, ConfigError

#: side in pixels of what a data set gives where no transform sets it
SIDES = dict(Digits=8, CIFAR10=32, CIFAR100=32, TinyImageNet=64, ImageNet=224, ImageList=224)


def measure_config(cfg: Config, input_size: int | None = None) -> CostReport:
    """The cost of what the config's training deploys: backbone and neck, and the head of a classifier.

    No data, weights or teacher are needed.

    Args:
        cfg: config with a model.
        input_size: side of the images in pixels; by default :func:`find_input_size`'s.

    Raises:
        ConfigError: the config has no network or says no size, or the network cannot take such images.
    """
    model = _deployed_part(cfg)
    size = find_input_size(cfg) if input_size is None else input_size
    if model['backbone'].get('input_size') is not None:
        model['backbone']['input_size'] = size
    return measure_cost(_build(model), size)


def find_input_size(cfg: Config) -> int:
    """Side in pixels of the images that a config's network is tested on.

    The views of the test data say it, else those of the validation, else ``backbone.input_size``, else the largest
    training view.

    Raises:
        ConfigError: none of them does.
    """
    sides = [_side_of_data(cfg.get(f'{split}_dataloader')) for split in ('test', 'val', 'train')]
    sides.insert(2, cfg.model.backbone.get('input_size'))
    known = [side for side in sides if side is not None]
    if not known:
        raise ConfigError(
            f'{cfg.filename} says no size of images, neither by its data nor by '
            'model.backbone.input_size; give one: --input 224'
        )
    return known[0]


def _build(model: dict[str, Any]) -> nn.Module:
    try:
        with torch.device('meta'):
            return ALGORITHMS.build(model)
    except NotImplementedError:  # torchvision's RegNets compute their plan with tensors
        with torch.random.fork_rng(devices=[]):
            return ALGORITHMS.build(model)


def _deployed_part(cfg: Config) -> dict[str, Any]:
    """Config of an Encoder."""
    model = cfg.get('model')
    if not model:
        raise ConfigError(f'{cfg.filename} has no model; give a config that trains one')
    if not isinstance(model.get('backbone'), Mapping):
        raise ConfigError(
            f'{cfg.filename} names no backbone; where the weights file does, give the config that trained it'
        )
    ALGORITHMS.check(model)
    learns_labels = getattr(ALGORITHMS.get(model.type), 'needs_labels', False)
    parts = ('backbone', 'neck', 'head') if learns_labels else ('backbone', 'neck')
    kept = {part: model[part].to_dict() for part in parts if model.get(part) is not None}
    kept['backbone'].pop('weights', None)  # published ones, which would be fetched
    return dict(type='Encoder', **kept)


def _side_of_data(loader: Any) -> int | None:
    if not isinstance(loader, Mapping) or not isinstance(loader.get('dataset'), Mapping):
        return None
    dataset = loader['dataset']
    dataset = dataset.get('query') or dataset.get('dataset') or dataset  # of BankAndQuery, of DaliImages
    sides = [side for view in dataset.get('views') or () if (side := _side_of_view(view)) is not None]
    return max(sides) if sides else SIDES.get(dataset.get('type'))


def _side_of_view(view: Mapping | Sequence[Mapping]) -> int | None:
    """The size that the view's last transform with one gives, by its config or by default."""
    for transform in reversed([view] if isinstance(view, Mapping) else view):
        kind = TRANSFORMS.get(transform['type'])
        setting = inspect.signature(kind).parameters.get('size') if kind is not None else None
        size = transform.get('size', None if setting is None else setting.default)
        if isinstance(size, Sequence) and len(set(size)) == 1:
            size = size[0]
        if isinstance(size, int):
            return size
    return None
