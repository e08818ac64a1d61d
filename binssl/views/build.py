"""The views of a sample, from config."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from binssl.core.randomness import derive_keys
from binssl.registry import TRANSFORMS, ConfigError

_STREAM = 1 << 32  # a counter that no chain of transforms reaches: other keys than those of the workers

#: what a transform may take, and says by ``takes``, one of these or several; one without it takes one image
ONE_IMAGE, BATCH, DIGITS_BATCH = 'one image at a time', 'whole batches', 'whole batches of digits'
ARRAY = 'photos as arrays'  # any iterable of them, uint8 (H, W, 3), with one counter key each


class Chain:
    """Transforms of one image, one after the other."""

    def __init__(self, transforms: Sequence[Callable]) -> None:
        self.transforms = list(transforms)

    def __call__(self, image: Any) -> Any:
        for transform in self.transforms:
            image = transform(image)
        return image


class BatchChain(Chain):
    """Transforms of a batch, one after the other; each gets keys of its own, so that no two draw the same numbers."""

    def __call__(self, images: Any, keys: np.ndarray) -> Any:  # type: ignore[override]
        for place, transform in enumerate(self.transforms):
            images = transform(images, derive_keys(keys, place))
        return images


def kind_of_views(configs: Any) -> str:
    """The first of what the first transform in ``configs`` takes, ``ONE_IMAGE`` where none is known."""
    if isinstance(configs, Sequence) and not isinstance(configs, str):
        return next((kind_of_views(config) for config in configs if config), ONE_IMAGE)
    kind = configs.get('type') if isinstance(configs, dict) else None
    return _taken(TRANSFORMS.get(kind) if isinstance(kind, str) else kind)[0]


def _taken(transform: Any) -> tuple[str, ...]:
    taken = getattr(transform, 'takes', ONE_IMAGE)
    return (taken,) if isinstance(taken, str) else taken


def build_views(configs: Sequence, owner: str, takes: str) -> list[Callable]:
    """One transform per view.

    Args:
        configs: at least one view: a transform's config or a list of them.
        owner: the data set, for the errors.
        takes: what the data set gives its transforms: ``ONE_IMAGE``, or a batch with one counter key a sample
            (``BATCH``, ``DIGITS_BATCH``), or several arrays with one each (``ARRAY``).
    """
    if isinstance(configs, (dict, str)) or not isinstance(configs, Sequence) or not configs:
        raise ConfigError(f'{owner}: views must be a list with one transform config per view; this is {configs!r}')
    return [_build_view(config, owner, takes) for config in configs]


def _build_view(config: Any, owner: str, takes: str) -> Callable:
    if isinstance(config, dict):
        transform = TRANSFORMS.build(config)
        if takes not in _taken(transform):
            raise ConfigError(f'{owner} is augmented by transforms of {takes}; {config["type"]} is not one')
        return transform
    if isinstance(config, Sequence) and not isinstance(config, str):
        chain = Chain if takes == ONE_IMAGE else BatchChain
        return chain([_build_view(part, owner, takes) for part in config])
    raise ConfigError(f'{owner}: a view is a transform config or a list of them, not {config!r}')


class BatchPart:
    """The part of the views that is made of whole batches, where the model is, with the keys that a batch brings along.

    Nothing of it depends on the rest of the batch or on the process: a sample's numbers come from its key alone.

    Args:
        views: for each view a batch transform's config, a list of them, or None for a view that is ready.
    """

    def __init__(self, views: Sequence) -> None:
        ready = [[] if view is None else view for view in views]
        self.views: list[Callable] = build_views(ready, owner='the batch part of the views', takes=BATCH)

    def __call__(self, images: Sequence[Tensor], keys: Tensor | None) -> list[Tensor]:
        """Changes the views uint8 (N, 3, H, W), each by its column of ``keys``, int64 (N, V) that hold uint64 bits."""
        if keys is None:
            raise ConfigError(
                'the batch has no keys for model.data_preprocessor.views: this data set cannot be augmented on the '
                'device; move the transforms to train_dataloader.dataset.views'
            )
        if len(images) != len(self.views) or keys.shape[-1] != len(self.views):
            raise ConfigError(
                f'model.data_preprocessor.views has {len(self.views)} entries, the batch {len(images)} view(s) with '
                f'{keys.shape[-1]} key(s) a sample: give one entry a view, None where there is nothing to do'
            )
        drawn = keys.numpy().view(np.uint64)
        device = images[0].device.type
        with torch.no_grad(), torch.autocast(device, enabled=False):  # grey levels need more than half precision
            return [
                view(image, derive_keys(drawn[:, place], _STREAM))
                for place, (image, view) in enumerate(zip(images, self.views, strict=True))
            ]
