"""Pascal VOC 2007 and 2012 (http://host.robots.ox.ac.uk/pascal/VOC): lists of images, and which classes are in them."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np

from binssl.datasets.errors import DataError
from binssl.datasets.prepare.placing import write_bytes, write_text

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


def write_voc_lists(devkit: Path, out: Path, overwrite: bool = False) -> list[str]:
    """Write lists and targets of VOC07 (``trainval``, ``test``), VOC12 (``trainval``) and both trainvals.

    A list ``voc07_trainval.txt`` has lines ``VOC2007/JPEGImages/ID.jpg``, relative to ``devkit``; its
    ``voc07_trainval_targets.npy`` is int8 (N, 20), a row a line and a column a class of ``classes.txt``, with VOC's
    values: 1 where the class is in the image, 0 where only as what VOC calls difficult (to be left out of training and
    scores), -1 where it is not. Detectors read the boxes from ``Annotations/ID.xml`` of the same images.

    Args:
        devkit: the folder VOCdevkit, with VOC2007, VOC2012 or both.
        out: where to.
        overwrite: whether other files of these names may go.

    Returns:
        What was done, one line a file, and a warning where the numbers are not the published ones.

    Raises:
        DataError: neither year is there, one is not whole, or another list is there.
    """
    parts = [(year, split) for year, split in PUBLISHED if _set_file(devkit, year, split).is_file()]
    if not parts:
        raise DataError(
            f'{os.fspath(devkit)!r} holds no VOC2007/ImageSets/Main/trainval.txt, nor one of VOC2012; expected is the '
            'folder VOCdevkit that the archives of host.robots.ox.ac.uk extract to'
        )
    lists = {(year, split): read_split(devkit, year, split) for year, split in parts}
    lines = [_warning(year, split, len(lists[year, split][0])) for year, split in parts]
    named = {f'voc{year[-2:]}_{split}': entry for (year, split), entry in lists.items()}
    trainvals = [entry for (_, split), entry in lists.items() if split == 'trainval']
    if len(trainvals) == 2:
        images, targets = zip(*trainvals, strict=True)
        named['voc0712_trainval'] = ([name for part in images for name in part], np.concatenate(targets))
    lines.append(write_text(out / 'classes.txt', list(CLASSES), overwrite))
    for name, (paths, rows) in named.items():
        lines.append(write_text(out / f'{name}.txt', paths, overwrite))
        lines.append(write_bytes(out / f'{name}_targets.npy', _as_npy(rows), overwrite))
    missing = [f'{year} {split}' for year, split in PUBLISHED if (year, split) not in parts]
    return [line for line in lines if line] + [f'note: no {name} there, so no list of it' for name in missing]


def read_split(devkit: Path, year: str, split: str) -> tuple[list[str], np.ndarray]:
    """Paths, relative to ``devkit``, and targets int8 (N, 20) of one split of one year."""
    lines = _set_file(devkit, year, split).read_text(encoding='utf-8').split('\n')
    ids = [line.strip() for line in lines if line.strip()]
    for folder, suffix in (('JPEGImages', '.jpg'), ('Annotations', '.xml')):
        place = devkit / year / folder
        there = set(os.listdir(place)) if place.is_dir() else set()
        if missing := [name for name in ids if name + suffix not in there]:
            raise DataError(
                f'{os.fspath(place)!r} lacks {len(missing):,} of the {len(ids):,} files of {split}, such as '
                f'{missing[0] + suffix!r}; {REMEDY.format(year)}'
            )
    columns = [_read_column(_set_file(devkit, year, f'{name}_{split}'), ids, year) for name in CLASSES]
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


def _set_file(devkit: Path, year: str, name: str) -> Path:
    return devkit / year / 'ImageSets' / 'Main' / f'{name}.txt'


def _warning(year: str, split: str, found: int) -> str:
    published = PUBLISHED[year, split]
    if found == published:
        return ''
    return f'warning: {split} of {year} names {found:,} images, the published one {published:,}'


def _as_npy(rows: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, rows)
    return content.getvalue()
