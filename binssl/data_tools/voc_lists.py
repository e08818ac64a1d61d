"""Lists of Pascal VOC 2007 and 2012, with the classes that are in each image."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np

from binssl.data_tools.placing import write_bytes, write_text
from binssl.datasets.voc import CLASSES, PUBLISHED, read_split, set_file
from binssl.registry import DataError


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
    parts = [(year, split) for year, split in PUBLISHED if set_file(devkit, year, split).is_file()]
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


def _warning(year: str, split: str, found: int) -> str:
    published = PUBLISHED[year, split]
    if found == published:
        return ''
    return f'warning: {split} of {year} names {found:,} images, the published one {published:,}'


def _as_npy(rows: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, rows)
    return content.getvalue()
