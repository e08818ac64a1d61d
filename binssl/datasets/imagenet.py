"""ImageNet, in whichever of the usual layouts it is there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from binssl.datasets.errors import DataError
from binssl.datasets.file_index import FileIndex, class_folders, index_folder, index_list, list_has_labels
from binssl.datasets.images import ImageFiles
from binssl.datasets.splits import check_split
from binssl.registry import DATASETS, ConfigError, nearest_names

ROOTS = ('data/imagenet', 'data/IMAGENET', 'data/Imagenet')
SOURCES = ('auto', 'folder', 'list')
LAYOUT = """expected is a folder with
    train/CLASS/*.JPEG and val/CLASS/*.JPEG, or
    train/ and val/ in any form, and lists of what is in them: meta/train.txt, meta/train_labeled.txt,
    meta/val_labeled.txt, with lines PATH or PATH LABEL
To use another folder: --cfg-options train_dataloader.dataset.root=/path/to/imagenet (likewise for
val_dataloader and test_dataloader), or link it: ln -s /path/to/imagenet data/imagenet"""


@DATASETS.register_module()
class ImageNet(ImageFiles):
    """ImageNet (ILSVRC 2012) as a folder of class folders or by BURN's list files.

    Lists are looked for as ``meta/SPLIT.txt`` and ``meta/SPLIT_labeled.txt``, paths in them relative to
    ``SPLIT/`` or to the root; class folders as ``SPLIT/CLASS/``.

    Args:
        split: ``train`` or ``val``.
        root: the folder. None: the first that exists of data/imagenet, data/IMAGENET and data/Imagenet.
        source: ``list``, ``folder``, or ``auto``: a list where there is one, else the folder.
        labeled: whether labels are needed. A list without them is then not taken.
        num_classes: labels must lie below it.
        views, seed, most_bad_fraction: as in :class:`ImageFiles`.

    Raises:
        DataError: if no root or none of the sources is there, naming what was looked for; or, where labels are needed
            and folders give them, the class folders of train and val differ.
    """

    def __init__(
        self,
        split: str = 'train',
        root: str | Path | None = None,
        source: str = 'auto',
        labeled: bool = False,
        views: Sequence | None = None,
        num_classes: int = 1000,
        seed: int = 0,
        most_bad_fraction: float = 0.01,
    ) -> None:
        check_split('ImageNet', split, ('train', 'val'))
        if source not in SOURCES:
            raise ConfigError(f'ImageNet has no source {source!r}; {nearest_names(source, SOURCES)}')
        self.split, self.root, self.num_classes = split, find_root(root), num_classes
        super().__init__(self._find_index(source, labeled), views, seed, most_bad_fraction)

    def _find_index(self, source: str, labeled: bool) -> FileIndex:
        folder = self.root / self.split
        lists = [self.root / 'meta' / f'{self.split}{ending}.txt' for ending in ('', '_labeled')]
        if source != 'folder':
            for list_file in reversed(lists) if labeled else lists:
                if list_file.is_file() and (not labeled or list_has_labels(list_file)):
                    return index_list(list_file, [folder, self.root], self.num_classes)
        if source != 'list' and folder.is_dir():
            index = index_folder(folder, self.num_classes)
            if labeled:
                check_same_folders(self.root / 'train', self.root / 'val')
            return index
        looked = [*lists, folder] if source == 'auto' else lists if source == 'list' else [folder]
        names = ', '.join(os.fspath(path.relative_to(self.root)) for path in looked)
        raise DataError(
            f'ImageNet {self.split}{" with labels" if labeled else ""} is not in {os.fspath(self.root)!r}; '
            f'looked for {names}; {LAYOUT}'
        )


def check_same_folders(train: Path, val: Path) -> None:
    """Compare the class folders of both splits, where both have some.

    Raises:
        DataError: they differ. Labels are places in the alphabet: from the first difference on, those of one split
            would mean other classes than those of the other, and every accuracy would be wrong.
    """
    train_classes, val_classes = (class_folders(split) if split.is_dir() else [] for split in (train, val))
    if not train_classes or not val_classes or train_classes == val_classes:
        return
    different = sorted(set(train_classes) ^ set(val_classes))
    owner = train if different[0] in train_classes else val
    raise DataError(
        f'{os.fspath(train)!r} and {os.fspath(val)!r} have different class folders ({len(train_classes)} and '
        f'{len(val_classes)}), so their labels would not mean the same: only {os.fspath(owner)!r} has {different[0]!r}'
    )


def find_root(root: str | Path | None) -> Path:
    """``root``, if it is a folder, or the first of the usual ones."""
    tried = [Path(place) for place in (ROOTS if root is None else [root])]
    for place in tried:
        if place.is_dir():
            return place
    names = ', '.join(os.fspath(place) for place in tried)
    raise DataError(f'no ImageNet: there is no folder {names} (in {os.getcwd()!r}); {LAYOUT}')
