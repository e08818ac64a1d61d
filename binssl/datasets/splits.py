"""The splits of a published set: their names, and how many images each has."""

from __future__ import annotations

import os
from collections.abc import Iterable
from logging import WARNING
from pathlib import Path

from mmengine.logging import print_log

from binssl.registry import ConfigError, nearest_names


def check_split(owner: str, split: str, known: Iterable[str]) -> None:
    """Raises a ConfigError unless ``split`` is one of the ``known`` ones of the data set ``owner``."""
    if split not in known:
        raise ConfigError(f'{owner} has no split {split!r}; {nearest_names(split, known)}')


def warn_of_size(
    owner: str, root: Path, split: str, found: int, published: int, remedy: str = 'remove it and use --download'
) -> None:
    """Log a warning where a split has another number of images than was published: made smaller, or cut off."""
    if found != published:
        print_log(
            f'{owner}: {split} in {os.fspath(root)!r} has {found:,} images, the published one {published:,}. If it was '
            f'not made smaller on purpose, it is cut off: {remedy}',
            logger='current',
            level=WARNING,
        )
