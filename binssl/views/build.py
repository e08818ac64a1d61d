"""The views of a sample, from config."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from binssl.core.randomness import derive_keys
from binssl.registry import TRANSFORMS, ConfigError

#: what a transform may take; one without an attribute ``takes`` takes one image
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


class BatchChain:
    """Transforms of a batch, one after the other; each gets keys of its own, so that no two draw the same numbers."""

    def __init__(self, transforms: Sequence[Callable]) -> None:
        self.transforms = list(transforms)

    def __call__(self, images: Any, keys: np.ndarray) -> Any:
        for place, transform in enumerate(self.transforms):
            images = transform(images, derive_keys(keys, place))
        return images


def kind_of_views(configs: Any) -> str:
    """What the first transform in ``configs`` takes, ``ONE_IMAGE`` where there is none, or none that is known."""
    if isinstance(configs, Sequence) and not isinstance(configs, str):
        return next((kind_of_views(config) for config in configs if config), ONE_IMAGE)
    kind = configs.get('type') if isinstance(configs, dict) else None
    return getattr(TRANSFORMS.get(kind) if isinstance(kind, str) else kind, 'takes', ONE_IMAGE)


def build_views(configs: Sequence, owner: str, takes: str) -> list[Callable]:
    """One transform per view.

    Args:
        configs: at least one view: a transform's config or a list of them.
        owner: the data set, for the errors.
        takes: what the data set gives its transforms: ``ONE_IMAGE``, or a batch with one counter key a sample
            (``BATCH``, ``DIGITS_BATCH``), or several arrays with one each (``ARRAY``). A transform says which it
            takes by an attribute of this name.

    Raises:
        ConfigError: if the configs have another form, or a transform is of another kind.
    """
    if isinstance(configs, (dict, str)) or not isinstance(configs, Sequence) or not configs:
        raise ConfigError(
            f'{owner}: views must be a list with one transform config per view, such as '
            f'[dict(type=...), dict(type=...)]; this is {configs!r}'
        )
    return [_build_view(config, owner, takes) for config in configs]


def _build_view(config: Any, owner: str, takes: str) -> Callable:
    if isinstance(config, dict):
        transform = TRANSFORMS.build(config)
        if getattr(transform, 'takes', ONE_IMAGE) != takes:
            raise ConfigError(f'{owner} is augmented by transforms of {takes}; {config["type"]} is not one')
        return transform
    if isinstance(config, Sequence) and not isinstance(config, str):
        chain = Chain if takes == ONE_IMAGE else BatchChain
        return chain([_build_view(part, owner, takes) for part in config])
    raise ConfigError(f'{owner}: a view is a transform config or a list of them, not {config!r}')
