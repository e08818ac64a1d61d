"""A few per cent of the labelled training images, for semi-supervised evaluation."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np

from binssl.data_tools.placing import write_text
from binssl.datasets.few_labels import share_out
from binssl.datasets.file_index import FileIndex
from binssl.datasets.folder_files import index_folder
from binssl.datasets.list_files import index_list
from binssl.registry import ConfigError, DataError

OFFICIAL = 'https://github.com/google-research/simclr, imagenet_subsets/1percent.txt and 10percent.txt'


def write_subset(
    root: Path, percent: float, seed: int = 0, official: Path | None = None, overwrite: bool = False
) -> list[str]:
    """Write ``meta/train_labeled_{percent}percent.txt``, lines ``PATH LABEL``, and beside it how it was made, as JSON.

    Args:
        root: holds ``train/CLASS/IMAGE``, or ``meta/train_labeled.txt``, which is then taken.
        percent: of the training images, above 0 and below 100.
        seed: of the draw, where there is no list.
        official: a list of file names, one a line, as SimCLR published them; the images of ``root`` that it names are
            taken. None: drawn, stratified by class, which is another subset than the published one.
        overwrite: whether another subset of this name may go.

    Returns:
        What was done and which subset it is, one line each.

    Raises:
        ConfigError: ``percent`` is out of range.
        DataError: the training images or those of ``official`` are not there, or another subset is.
    """
    if not 0 < percent < 100:
        raise ConfigError(f'percent {percent} must lie above 0 and below 100')
    index = _training_images(root)
    if official is not None:
        places, source = match_names(index, official), f'the list {official.name!r}'
        _check_share(official, len(places), len(index), percent)
    else:
        places, source = draw_stratified(index, percent, seed), f'drawn, stratified by class, seed {seed}'
    lines = [f'{index.names[place]} {index.labels[place]}' for place in places]
    path = root / 'meta' / f'train_labeled_{percent:g}percent.txt'
    text = ''.join(f'{line}\n' for line in lines).encode('utf-8', 'surrogateescape')
    made = dict(
        source=source,
        percent=percent,
        images=len(lines),
        of=len(index),
        classes=len(set(index.labels[places].tolist())),
        sha256=hashlib.sha256(text).hexdigest(),
    )
    done = [
        write_text(path, lines, overwrite),
        write_text(path.with_suffix('.json'), json.dumps(made, indent=1).split('\n'), overwrite),
    ]
    if official is None:
        done.append(
            f'note: this subset is {source}; it is not the one that SimCLR published, and numbers differ between '
            f'subsets. For that one: --official FILE ({OFFICIAL})'
        )
    return done


def draw_stratified(index: FileIndex, percent: float, seed: int) -> list[int]:
    """Places of ``percent`` of the images of each class, at least one, in the index's order.

    Of each class those files are taken whose names have the smallest SHA-256 of ``SEED/NAME``: a draw without
    replacement that depends on names only, and in which the 1 % lie within the 10 %. The class sizes are rounded so
    that the whole has the size asked for (largest remainders).
    """
    members = [np.flatnonzero(index.labels == label) for label in np.unique(index.labels)]
    places: list[int] = []
    for group, count in zip(members, share_out([len(group) for group in members], percent), strict=True):
        ranked = sorted(group.tolist(), key=lambda place: _rank(index.names[place], seed))
        places += ranked[:count]
    return sorted(places)


def match_names(index: FileIndex, names_file: Path) -> list[int]:
    """Places of the images whose file names ``names_file`` has, in the index's order.

    Raises:
        DataError: some are not there, or two images have one of the names.
    """
    try:
        text = names_file.read_text(encoding='utf-8', errors='surrogateescape')
    except OSError as error:
        raise DataError(f'{os.fspath(names_file)!r} cannot be read: {error.strerror}; it is from {OFFICIAL}') from error
    wanted = {os.path.basename(line.strip()) for line in text.split('\n') if line.strip()}
    if not wanted:
        raise DataError(f'{os.fspath(names_file)!r} names no image; fetch it from {OFFICIAL}')
    places: dict[str, int] = {}
    for place in range(len(index)):
        name = os.path.basename(index.names[place])
        if name in wanted:
            if name in places:
                both = f'{index.path(places[name])!r} and {index.path(place)!r}'
                raise DataError(f'{both} have one name, so the list may mean either; remove or rename one')
            places[name] = place
    if missing := sorted(wanted - set(places)):
        raise DataError(
            f'{os.fspath(names_file)!r} names {len(missing):,} of {len(wanted):,} images that are not in '
            f'{index.folder!r}, such as {missing[0]!r}: the list is of another set, or the set is not whole'
        )
    return sorted(places.values())


def _rank(name: str, seed: int) -> bytes:
    return hashlib.sha256(f'{seed}/'.encode() + os.fsencode(name)).digest()


def _training_images(root: Path) -> FileIndex:
    labeled = root / 'meta' / 'train_labeled.txt'
    if not labeled.is_file():
        return index_folder(root / 'train')
    index = index_list(labeled, [root / 'train', root])
    if (index.labels < 0).any():
        raise DataError(f'{os.fspath(labeled)!r} has no labels; write it with tools/prepare_data/lists.py --overwrite')
    return index


def _check_share(official: Path, found: int, images: int, percent: float) -> None:
    if not 0.9 < found / (images * percent / 100) < 1.1:
        raise DataError(
            f'{os.fspath(official)!r} names {found:,} of {images:,} images, {100 * found / images:.3g} % and not '
            f'{percent:g}; give the list of that share'
        )
