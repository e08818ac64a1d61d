"""Pascal VOC 2007 and 2012 (http://host.robots.ox.ac.uk/pascal/VOC): their lists, and the classes in each image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from binssl.core.files import load_array, read_bytes
from binssl.datasets.checks import check_split, warn_of_size
from binssl.datasets.file_index import FileIndex, PackedNames
from binssl.datasets.folder_files import find_root
from binssl.datasets.images import ImageFiles
from binssl.datasets.list_files import index_list
from binssl.registry import DATASETS, DataError

_NAMES = 'aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant '
_NAMES += 'sheep sofa train tvmonitor'
CLASSES = tuple(_NAMES.split())
#: images that have labels
PUBLISHED = {('VOC2007', 'trainval'): 5011, ('VOC2007', 'test'): 4952, ('VOC2012', 'trainval'): 11540}
#: with the year's folder
REMEDY = 'extract the archive of its year again, so that VOCdevkit/{} is whole'
EXPECTED = 'expected is the folder VOCdevkit that the archives of host.robots.ox.ac.uk extract to'
YEAR = 'VOC2007'
USUAL_ROOTS = ('data/VOCdevkit', 'data/voc/VOCdevkit', 'data/VOC/VOCdevkit')
_LAYOUT = """expected is the folder VOCdevkit that VOCtrainval_06-Nov-2007.tar and VOCtest_06-Nov-2007.tar of
    host.robots.ox.ac.uk extract to, with VOC2007/JPEGImages and VOC2007/ImageSets, or with the lists that
    tools/prepare_data/voc.py writes
To use another folder: --cfg-options test_dataloader.dataset.bank.root=/path/to/VOCdevkit
test_dataloader.dataset.query.root=/path/to/VOCdevkit, or link it: ln -s /path/to/VOCdevkit data/VOCdevkit"""


@DATASETS.register_module()
class VOC07(ImageFiles):
    """The 9,963 photos of VOC 2007, of which several of 20 classes may be in each.

    A sample's ``labels`` are int8 (20,): 1 for a class that is in the image, 0 for one that is there only as what VOC
    calls difficult (neither positive nor negative), -1 for all others. The lists that ``tools/prepare_data/voc.py``
    wrote are read where they are, else VOC's own files.

    Args:
        split: ``trainval`` (5,011 images) or ``test`` (4,952).
        root: the folder VOCdevkit. None: the first of the usual ones, data/VOCdevkit before all.
        views, seed, most_bad_fraction: as of :class:`ViewedImages`.

    Raises:
        DataError: the folder is not there or not whole, or a list and its targets are not of the same images.
    """

    def __init__(
        self,
        split: str = 'trainval',
        root: str | Path | None = None,
        views: Sequence | None = None,
        seed: int = 0,
        most_bad_fraction: float = 0.01,
    ) -> None:
        check_split('VOC07', split, [name for year, name in PUBLISHED if year == YEAR])
        self.split, self.root = split, find_root('VOC07', USUAL_ROOTS if root is None else [root], _LAYOUT)
        index, targets = _read(self.root, split)
        warn_of_size('VOC07', self.root, split, len(index), PUBLISHED[YEAR, split], REMEDY.format(YEAR))
        super().__init__(index, views, seed, most_bad_fraction, len(CLASSES))
        self.labels, self.classes = targets, list(CLASSES)


def _read(root: Path, split: str) -> tuple[FileIndex, np.ndarray]:
    """The images, labelled by their place in the list (an image that replaces a bad one brings its own targets)."""
    list_file = root / 'lists' / f'voc07_{split}.txt'
    targets_file = list_file.with_name(f'voc07_{split}_targets.npy')
    if list_file.is_file() and targets_file.is_file():
        index = index_list(list_file, [root])
        names, targets = index.names, _read_targets(targets_file, len(index))
    elif set_file(root, YEAR, split).is_file():
        paths, targets = read_split(root, YEAR, split)
        names = PackedNames(paths)
    else:
        ours = f'lists/{list_file.name} with {targets_file.name}'
        raise DataError(f'{os.fspath(root)!r} has neither {YEAR}/ImageSets/Main/{split}.txt nor {ours}; {_LAYOUT}')
    return FileIndex(os.fspath(root), names, np.arange(len(names))), targets


def _read_targets(file: Path, images: int) -> np.ndarray:
    try:
        targets = load_array(file)
        if targets.shape != (images, len(CLASSES)) or targets.dtype.kind not in 'iu':
            raise ValueError(f'it holds targets {targets.shape}, for {images:,} images and {len(CLASSES)} classes')
        if not np.isin(targets, (1, 0, -1)).all():
            raise ValueError('it holds other targets than 1, 0 and -1')
    except (OSError, ValueError) as error:
        remedy = 'write the lists again: python tools/prepare_data/voc.py ROOT --overwrite'
        raise DataError(f'{os.fspath(file)!r} cannot be used ({error}); {remedy}') from error
    return targets.astype(np.int8)


def read_split(devkit: Path, year: str, split: str) -> tuple[list[str], np.ndarray]:
    """Paths, relative to ``devkit``, and targets int8 (N, 20) of one split of one year."""
    ids = read_ids(devkit, year, split)
    for folder, suffix in (('JPEGImages', '.jpg'), ('Annotations', '.xml')):
        place = devkit / year / folder
        there = set(os.listdir(place)) if place.is_dir() else set()
        if missing := [name + suffix for name in ids if name + suffix not in there]:
            told = f'lacks {len(missing):,} of the {len(ids):,} files of {split}, such as {missing[0]!r}'
            raise DataError(f'{os.fspath(place)!r} {told}; {REMEDY.format(year)}')
    columns = [_read_column(set_file(devkit, year, f'{name}_{split}'), ids, year) for name in CLASSES]
    return [f'{year}/JPEGImages/{name}.jpg' for name in ids], np.array(columns, dtype=np.int8).T


def _read_column(file: Path, ids: list[str], year: str) -> list[int]:
    """The values of one class, in the order of ``ids``, from lines ``ID VALUE``."""
    if not file.is_file():
        raise DataError(f'there is no {os.fspath(file)!r}; {REMEDY.format(year)}')
    values: dict[str, int] = {}
    for number, line in enumerate(read_bytes(file).decode('utf-8', 'replace').splitlines(), start=1):
        match line.split():
            case []:
                pass
            case name, ('1' | '0' | '-1') as value:
                values[name] = int(value)
            case _:
                raise DataError(f'{os.fspath(file)!r}, line {number}: {line[:40]!r} should be ID and 1, 0 or -1')
    if missing := [name for name in ids if name not in values]:
        raise DataError(f'{os.fspath(file)!r} has no line for {missing[0]!r}; {REMEDY.format(year)}')
    return [values[name] for name in ids]


def read_ids(devkit: Path, year: str, split: str) -> list[str]:
    """The images that a list of VOC's own names."""
    file = set_file(devkit, year, split)
    if not file.is_file():
        raise DataError(f'there is no {os.fspath(file)!r} (in {os.getcwd()!r}); {EXPECTED}: name it by dataset.root')
    ids = read_bytes(file).decode('utf-8', 'replace').split()
    if not ids:
        raise DataError(f'{os.fspath(file)!r} names no image; {REMEDY.format(year)}')
    return ids


def set_file(devkit: Path, year: str, name: str) -> Path:
    """The list or class file ``name`` of a year."""
    return devkit / year / 'ImageSets' / 'Main' / f'{name}.txt'
