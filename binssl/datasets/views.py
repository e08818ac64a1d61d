"""The views of a sample, from config."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from binssl.registry import TRANSFORMS, ConfigError


def build_views(configs: Sequence[dict], owner: str) -> list[Callable]:
    """One transform per view.

    Args:
        configs: the configs, at least one.
        owner: the data set, for the error.
    """
    if isinstance(configs, (dict, str)) or not isinstance(configs, Sequence) or not configs:
        raise ConfigError(
            f'{owner}: views must be a list with one transform config per view, such as '
            f'[dict(type=...), dict(type=...)]; this is {configs!r}'
        )
    return [TRANSFORMS.build(config) for config in configs]
