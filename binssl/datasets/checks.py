"""Checks of data sets: their splits, their sizes, and whether two have the same classes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import zip_longest
from logging import WARNING
from pathlib import Path

from mmengine.logging import print_log

from binssl.datasets.base import ImageDataset
from binssl.registry import ConfigError, nearest_names


def check_same_classes(first: ImageDataset, second: ImageDataset, first_name: str, second_name: str) -> None:
    """Compare the ``classes`` of two data sets, or else their ``num_classes``; what one of them lacks is not compared.

    Raises:
        ConfigError: they differ, told by the names that the config has for them. From the first difference on, a label
            would not mean the same in both.
    """
    if first.classes and second.classes:
        for label, pair in enumerate(zip_longest(first.classes, second.classes)):
            if pair[0] != pair[1]:
                one, other = ('none' if name is None else repr(name) for name in pair)
                raise ConfigError(
                    f'{first_name} and {second_name} have different class folders ({len(first.classes)} and '
                    f'{len(second.classes)}): label {label} is {one} in {first_name} and {other} in {second_name}. '
                    "Give both the same class folders, or the labels by lists of images (type='ImageList')"
                )
    elif first.num_classes and second.num_classes and first.num_classes != second.num_classes:
        both = f'{first_name} has {first.num_classes} classes and {second_name} {second.num_classes}'
        remedy = 'a list of images that lacks the last classes must be given num_classes'
        raise ConfigError(f'{both}: their labels would not mean the same. Use sets of the same classes; {remedy}')


def check_split(owner: str, split: str, known: Iterable[str]) -> None:
    """Raise a ConfigError unless ``split`` is one of the ``known`` ones of the data set ``owner``."""
    if split not in known:
        raise ConfigError(f'{owner} has no split {split!r}; {nearest_names(split, known)}')


def warn_of_size(
    owner: str, root: Path, split: str, found: int, published: int, remedy: str = 'remove it and use --download'
) -> None:
    """Log a warning where a split has another number of images than was published: made smaller, or cut off."""
    if found != published:
        told = f'{owner}: {split} in {os.fspath(root)!r} has {found:,} images, the published one {published:,}'
        cut = f'If it was not made smaller on purpose, it is cut off: {remedy}'
        print_log(f'{told}. {cut}', logger='current', level=WARNING)
