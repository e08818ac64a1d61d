"""Whether the images that a list names are there, and where: each folder is listed once, no file asked for alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from binssl.datasets.folder_files import list_folder
from binssl.datasets.list_files import ListedImages
from binssl.registry import DataError


def find_folder(
    list_file: str | Path, listed: ListedImages, folders: Sequence[str | Path], before: Callable[[int, str], None]
) -> int:
    """Place of the first of the ``folders`` that holds any of the first images.

    Args:
        list_file: its name.
        listed: what it says.
        folders: where to look, in this order.
        before: called with the place of each folder, and the name of a folder in it ('' for itself), before that is
            looked into.

    Raises:
        DataError: none does.
    """
    # more than one, so that a missing first image is not taken for another folder
    first = [listed.names[index] for index in range(min(100, len(listed.names)))]
    parents = dict.fromkeys(['', *map(os.path.dirname, first)])
    for place, folder in enumerate(folders):
        for parent in parents:
            before(place, parent)
        if any(os.path.isfile(os.path.join(folder, name)) for name in first):
            return place
    tried = ' or '.join(repr(os.fspath(folder)) for folder in folders)
    raise DataError(
        f'{os.fspath(list_file)!r}, line {listed.lines[0]}: {listed.names[0]!r} is not in {tried}, and nor are the '
        f'images of the next lines; paths in a list are relative to such a folder, and end before the label, which '
        'a blank or a tab separates'
    )


def check_images_exist(
    list_file: str | Path, listed: ListedImages, folder: str | Path, before: Callable[[str], None]
) -> None:
    """Raises a DataError for listed images that are not in ``folder``, or are links to nothing.

    Args:
        list_file: its name.
        listed: what it says.
        folder: what the paths are relative to.
        before: called with each folder, relative to ``folder``, before that is listed.
    """
    missing: list[int] = []
    for parent, members in _by_parent(listed):
        name = os.fsdecode(parent)
        before(name)
        there: set[bytes] = set()
        with suppress(DataError):  # the folder is not there: nor are its images
            there.update(list_folder(os.path.join(folder, name)).files)
        start = len(parent) + 1 if parent else 0
        raw = zip(members.tolist(), listed.names.raw_of(members), strict=True)
        missing += [place for place, path in raw if path[start:] not in there]
    if missing:
        missing.sort()
        named = ', '.join(f'line {listed.lines[place]}: {listed.names[place]!r}' for place in missing[:3])
        raise DataError(
            f'{os.fspath(list_file)!r} names {len(missing)} of {len(listed.names)} images that are not in '
            f'{os.fspath(folder)!r}, or are links to nothing: {named}{", ..." if len(missing) > 3 else ""}'
        )


def _by_parent(listed: ListedImages) -> Iterator[tuple[bytes, np.ndarray]]:
    """The folders that the paths name, each with the places of its images."""
    numbers: dict[bytes, int] = {}
    owners = np.empty(len(listed.names), dtype=np.int32)
    for place, path in enumerate(listed.names.raw_of(np.arange(len(owners)))):
        owners[place] = numbers.setdefault(path.rpartition(b'/')[0], len(numbers))
    order = np.argsort(owners, kind='stable')
    stops = np.cumsum(np.bincount(owners, minlength=len(numbers)))
    for parent, number in numbers.items():
        yield parent, order[stops[number - 1] if number else 0 : stops[number]]
