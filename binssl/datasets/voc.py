"""Pascal VOC 2007 and 2012 (http://host.robots.ox.ac.uk/pascal/VOC): lists of images, and which classes are in them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from binssl.registry import DataError

CLASSES = (
    'aeroplane',
    'bicycle',
    'bird',
    'boat',
    'bottle',
    'bus',
    'car',
    'cat',
    'chair',
    'cow',
    'diningtable',
    'dog',
    'horse',
    'motorbike',
    'person',
    'pottedplant',
    'sheep',
    'sofa',
    'train',
    'tvmonitor',
)
#: images that have labels
PUBLISHED = {('VOC2007', 'trainval'): 5011, ('VOC2007', 'test'): 4952, ('VOC2012', 'trainval'): 11540}
#: with the year's folder
REMEDY = 'extract the archive of its year again, so that VOCdevkit/{} is whole'


def read_split(devkit: Path, year: str, split: str) -> tuple[list[str], np.ndarray]:
    """Paths, relative to ``devkit``, and targets int8 (N, 20) of one split of one year."""
    lines = set_file(devkit, year, split).read_text(encoding='utf-8').split('\n')
    ids = [line.strip() for line in lines if line.strip()]
    for folder, suffix in (('JPEGImages', '.jpg'), ('Annotations', '.xml')):
        place = devkit / year / folder
        there = set(os.listdir(place)) if place.is_dir() else set()
        if missing := [name for name in ids if name + suffix not in there]:
            raise DataError(
                f'{os.fspath(place)!r} lacks {len(missing):,} of the {len(ids):,} files of {split}, such as '
                f'{missing[0] + suffix!r}; {REMEDY.format(year)}'
            )
    columns = [_read_column(set_file(devkit, year, f'{name}_{split}'), ids, year) for name in CLASSES]
    return [f'{year}/JPEGImages/{name}.jpg' for name in ids], np.array(columns, dtype=np.int8).T


def _read_column(file: Path, ids: list[str], year: str) -> list[int]:
    """The values of one class, in the order of ``ids``, from lines ``ID VALUE``."""
    if not file.is_file():
        raise DataError(f'there is no {os.fspath(file)!r}; {REMEDY.format(year)}')
    values: dict[str, int] = {}
    for number, line in enumerate(file.read_text(encoding='utf-8').splitlines(), start=1):
        words = line.split()
        if words and (len(words) != 2 or words[1] not in ('1', '0', '-1')):
            raise DataError(f'{os.fspath(file)!r}, line {number}: {line[:40]!r} should be ID and 1, 0 or -1')
        if words:
            values[words[0]] = int(words[1])
    if missing := [name for name in ids if name not in values]:
        raise DataError(f'{os.fspath(file)!r} has no line for {missing[0]!r}; {REMEDY.format(year)}')
    return [values[name] for name in ids]


def set_file(devkit: Path, year: str, name: str) -> Path:
    """The list or class file ``name`` of a year."""
    return devkit / year / 'ImageSets' / 'Main' / f'{name}.txt'
