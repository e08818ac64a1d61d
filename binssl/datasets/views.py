"""The views of a sample, from config."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from binssl.registry import TRANSFORMS, ConfigError


class Chain:
    """Transforms one after the other."""

    def __init__(self, transforms: Sequence[Callable]) -> None:
        self.transforms = list(transforms)

    def __call__(self, image: Any) -> Any:
        for transform in self.transforms:
            image = transform(image)
        return image


def build_views(configs: Sequence, owner: str, batchwise: bool) -> list[Callable]:
    """One transform per view.

    Args:
        configs: at least one view: a transform's config or, unless batchwise, a list of them.
        owner: the data set, for the errors.
        batchwise: whether the data set calls its transforms with (images, keys), a batch at a time, rather
            than with one image. A transform of the first kind has a true attribute ``batchwise``.

    Raises:
        ConfigError: if the configs have another form, or a transform is of the other kind.
    """
    if isinstance(configs, (dict, str)) or not isinstance(configs, Sequence) or not configs:
        raise ConfigError(
            f'{owner}: views must be a list with one transform config per view, such as '
            f'[dict(type=...), dict(type=...)]; this is {configs!r}'
        )
    return [_build_view(config, owner, batchwise) for config in configs]


def _build_view(config: Any, owner: str, batchwise: bool) -> Callable:
    if isinstance(config, dict):
        transform = TRANSFORMS.build(config)
        if getattr(transform, 'batchwise', False) != batchwise:
            kind = 'whole batches' if batchwise else 'one image at a time'
            raise ConfigError(f'{owner} is augmented by transforms of {kind}; {config["type"]} is not one')
        return transform
    if isinstance(config, Sequence) and not isinstance(config, str) and not batchwise:
        return Chain([_build_view(part, owner, batchwise) for part in config])
    expected = 'a transform config' if batchwise else 'a transform config or a list of them'
    raise ConfigError(f'{owner}: a view is {expected}, not {config!r}')
