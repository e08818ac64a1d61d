"""Pascal VOC 2007 (http://host.robots.ox.ac.uk/pascal/VOC) with the classes that are in each image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from binssl.datasets.file_index import FileIndex, PackedNames
from binssl.datasets.images import ImageFiles
from binssl.datasets.list_files import index_list
from binssl.datasets.splits import check_split, warn_of_size
from binssl.datasets.voc import CLASSES, PUBLISHED, REMEDY, read_split
from binssl.registry import DATASETS, DataError

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
        views, seed, most_bad_fraction: as in :class:`ImageFiles`.

    Attributes:
        labels: of all images, int8 (N, 20).

    Raises:
        DataError: the folder is not there or not whole, or a list and its targets are not of the same images.
    """

    num_classes = len(CLASSES)

    def __init__(
        self,
        split: str = 'trainval',
        root: str | Path | None = None,
        views: Sequence | None = None,
        seed: int = 0,
        most_bad_fraction: float = 0.01,
    ) -> None:
        check_split('VOC07', split, [name for year, name in PUBLISHED if year == YEAR])
        self.split, self.root = split, _find_root(root)
        index, self.labels = _read(self.root, split)
        warn_of_size('VOC07', self.root, split, len(index), PUBLISHED[YEAR, split], REMEDY.format(YEAR))
        super().__init__(index, views, seed, most_bad_fraction)
        self.classes = list(CLASSES)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        sample = super().__getitem__(key)
        return dict(sample, labels=torch.from_numpy(self.labels[sample['labels']]))

    def _make_batch(self, wanted: Sequence[int | tuple[int, int]]) -> dict[str, Any]:
        batch = super()._make_batch(wanted)
        return dict(batch, labels=torch.from_numpy(self.labels[batch['labels'].numpy()]))


def _find_root(root: str | Path | None) -> Path:
    tried = [Path(place) for place in (USUAL_ROOTS if root is None else [root])]
    for place in tried:
        if place.is_dir():
            return place
    names = ', '.join(os.fspath(place) for place in tried)
    raise DataError(f'no VOC07: there is no folder {names} (in {os.getcwd()!r}); {_LAYOUT}')


def _read(root: Path, split: str) -> tuple[FileIndex, np.ndarray]:
    """The images, labelled by their place in the list (an image that replaces a bad one brings its own targets)."""
    list_file = root / 'lists' / f'voc07_{split}.txt'
    targets_file = list_file.with_name(f'voc07_{split}_targets.npy')
    if list_file.is_file() and targets_file.is_file():
        index = index_list(list_file, [root])
        names, targets = index.names, _read_targets(targets_file, len(index))
    elif (root / YEAR / 'ImageSets' / 'Main' / f'{split}.txt').is_file():
        paths, targets = read_split(root, YEAR, split)
        names = PackedNames(paths)
    else:
        raise DataError(
            f'{os.fspath(root)!r} has neither {YEAR}/ImageSets/Main/{split}.txt nor lists/'
            f'{list_file.name} with {targets_file.name}; {_LAYOUT}'
        )
    if not len(names):
        raise DataError(f'{split} of {YEAR} in {os.fspath(root)!r} names no image; {_LAYOUT}')
    return FileIndex(os.fspath(root), names, np.arange(len(names))), targets


def _read_targets(file: Path, images: int) -> np.ndarray:
    remedy = 'write the lists again: python tools/prepare_data/voc.py ROOT --overwrite'
    try:
        targets = np.load(file, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f'{os.fspath(file)!r} cannot be read ({error}); {remedy}') from error
    if targets.shape != (images, len(CLASSES)):
        raise DataError(
            f'{os.fspath(file)!r} holds targets {targets.shape}, its list names {images:,} images and '
            f'there are {len(CLASSES)} classes; {remedy}'
        )
    if not np.isin(targets, (1, 0, -1)).all():
        raise DataError(f'{os.fspath(file)!r} holds other targets than 1, 0 and -1; {remedy}')
    return targets.astype(np.int8)
