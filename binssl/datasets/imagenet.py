"""ImageNet, Places205 and any folder with splits: sets of photos kept as class folders or with list files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from binssl.datasets.checks import check_split
from binssl.datasets.file_index import FileIndex
from binssl.datasets.folder_files import class_folders, find_root, index_folder
from binssl.datasets.images import ImageFiles, ImageFolder
from binssl.datasets.list_files import index_list, list_has_labels
from binssl.registry import DATASETS, ConfigError, DataError, nearest_names

SOURCES = ('auto', 'folder', 'list')
#: where a split is looked for: many sets have one of val and test alone
FOLDERS = {'train': ('train',), 'val': ('val', 'test'), 'test': ('test', 'val')}


def _another_folder(name: str) -> str:
    return f"""
To use another folder: --cfg-options train_dataloader.dataset.root=/path/to/{name} (likewise for
val_dataloader and test_dataloader), or link it: ln -s /path/to/{name} data/{name}"""


class FoldersOrLists(ImageFiles):
    """The images of one split, by whichever of the usual layouts is there.

    Args:
        split: ``train`` or ``val``.
        root: the folder. None: the first of the usual ones that exists.
        source: ``list``, ``folder``, or ``auto``: a list where there is one, else the folder.
        labeled: whether labels are needed. A list without them is then not taken.
        num_classes: labels must lie below it. None: as many as the published set has.
        views, seed, most_bad_fraction: as of :class:`ViewedImages`.

    Attributes:
        title: what the set is called.
        usual_roots: where it is looked for.
        published_classes: its number of classes.
        lists, labeled_lists: list files in the root, the best first; ``{split}`` stands for the split.
        image_folders: what the paths in a list may be relative to, in the root.
        layout: says what is expected, for the errors.

    Raises:
        DataError: no root or no source is there; or folders give the labels that are needed, and train and val differ.
    """

    title: str
    usual_roots: tuple[str, ...]
    published_classes: int
    lists: tuple[str, ...] = ('meta/{split}.txt',)
    labeled_lists: tuple[str, ...] = ('meta/{split}_labeled.txt',)
    image_folders: tuple[str, ...] = ('{split}', '')
    layout: str

    def __init__(
        self,
        split: str = 'train',
        root: str | Path | None = None,
        source: str = 'auto',
        labeled: bool = False,
        views: Sequence | None = None,
        num_classes: int | None = None,
        seed: int = 0,
        most_bad_fraction: float = 0.01,
    ) -> None:
        check_split(self.title, split, ('train', 'val'))
        if source not in SOURCES:
            raise ConfigError(f'{self.title} has no source {source!r}; {nearest_names(source, SOURCES)}')
        self.split = split
        self.root = find_root(self.title, self.usual_roots if root is None else [root], self.layout)
        most_classes = self.published_classes if num_classes is None else num_classes
        index = self._find_index(source, labeled, most_classes)
        super().__init__(index, views, seed, most_bad_fraction, most_classes)

    def _find_index(self, source: str, labeled: bool, num_classes: int) -> FileIndex:
        without, having = self._paths(self.lists), self._paths(self.labeled_lists)
        folder = self.root / self.split
        if source != 'folder':
            for list_file in having + without if labeled else without + having:
                if list_file.is_file() and (not labeled or list_has_labels(list_file)):
                    return index_list(list_file, self._paths(self.image_folders), num_classes)
        if source != 'list' and folder.is_dir():
            index = index_folder(folder, num_classes)
            if labeled:
                check_same_folders(self.root / 'train', self.root / 'val')
            return index
        looked = dict(folder=[folder], list=without + having).get(source, [*without, *having, folder])
        names = ', '.join(os.fspath(path.relative_to(self.root)) for path in looked)
        wanted = f'{self.title} {self.split}{" with labels" if labeled else ""}'
        raise DataError(f'{wanted} is not in {os.fspath(self.root)!r}; looked for {names}; {self.layout}')

    def _paths(self, names: Sequence[str]) -> list[Path]:
        return [self.root / name.format(split=self.split) for name in names]


@DATASETS.register_module()
class ImageNet(FoldersOrLists):
    """ImageNet (ILSVRC 2012) as a folder of class folders or by BURN's list files; 1000 classes.

    Lists are looked for as ``meta/SPLIT.txt`` and ``meta/SPLIT_labeled.txt``, paths in them relative to ``SPLIT/`` or
    to the root; class folders as ``SPLIT/CLASS/``, named by synsets or by whole numbers, whose order makes the labels.
    The usual roots are data/imagenet, data/IMAGENET and data/Imagenet. Arguments: :class:`FoldersOrLists`.
    """

    title = 'ImageNet'
    usual_roots = ('data/imagenet', 'data/IMAGENET', 'data/Imagenet')
    published_classes = 1000
    layout = """expected is a folder with
    train/CLASS/*.JPEG and val/CLASS/*.JPEG, or
    train/ and val/ in any form, and lists of what is in them: meta/train.txt, meta/train_labeled.txt,
    meta/val_labeled.txt, with lines PATH or PATH LABEL""" + _another_folder('imagenet')


@DATASETS.register_module()
class Places205(FoldersOrLists):
    """Photos of 205 kinds of scenes: 2,448,873 to train on, 20,500 to validate.

    Lists are looked for as OpenSelfSup names them, ``meta/SPLIT.txt`` and ``meta/SPLIT_labeled.txt``, and as the
    authors do, ``trainvalsplit_places205/SPLIT_places205.csv`` (lines ``PATH LABEL``, with a blank between them). Paths
    in them are relative to ``SPLIT/``, to the root or to the folder of the authors' archive,
    ``data/vision/torralba/deeplearning/images256``. The usual roots are data/places205 and data/Places205. Arguments:
    :class:`FoldersOrLists`.
    """

    title = 'Places205'
    usual_roots = ('data/places205', 'data/Places205')
    published_classes = 205
    labeled_lists = ('meta/{split}_labeled.txt', 'trainvalsplit_places205/{split}_places205.csv')
    image_folders = ('{split}', '', 'data/vision/torralba/deeplearning/images256')
    layout = """expected is a folder with
    train/ and val/, and lists of what is in them: meta/train_labeled.txt and meta/val_labeled.txt, or
    trainvalsplit_places205/ and data/vision/torralba/deeplearning/images256/, as the authors' archives have
    them""" + _another_folder('places205')


@DATASETS.register_module()
class SplitFolder(ImageFolder):
    """One split of a folder that has ``train/CLASS/IMAGE``, and ``val/CLASS/IMAGE`` or ``test/CLASS/IMAGE``.

    Args:
        root: the folder.
        split: ``train``; ``val``, which is ``test/`` where there is no ``val/``; or ``test``, likewise.
        views, seed, most_bad_fraction: as of :class:`ViewedImages`.

    Raises:
        DataError: the folder, its ``train/`` or the split is not there, or their class folders differ.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = 'train',
        views: Sequence | None = None,
        seed: int = 0,
        most_bad_fraction: float = 0.01,
    ) -> None:
        check_split('SplitFolder', split, FOLDERS)
        root = Path(root)
        self.split = split
        train, folder = (_find_split(root, name) for name in ('train', split))
        check_same_folders(train, folder)
        super().__init__(folder, views, len(class_folders(train)), seed, most_bad_fraction)


def _find_split(root: Path, split: str) -> Path:
    for name in FOLDERS[split]:
        if (root / name).is_dir():
            return root / name
    looked = ' or '.join(f'{name}/' for name in FOLDERS[split])
    raise DataError(
        f'there is no {looked} in {os.fspath(root)!r} (in {os.getcwd()!r}), with CLASS/IMAGE in it. The configs of '
        'transfer take the folder from the environment: DATA_ROOT=/path'
    )


def check_same_folders(train: Path, val: Path) -> None:
    """Raise a DataError where both splits have class folders, whose order makes the labels, and not the same."""
    train_classes, val_classes = (class_folders(split) if split.is_dir() else [] for split in (train, val))
    if not train_classes or not val_classes or train_classes == val_classes:
        return
    different = sorted(set(train_classes) ^ set(val_classes))
    owner = train if different[0] in train_classes else val
    raise DataError(
        f'{os.fspath(train)!r} and {os.fspath(val)!r} have different class folders ({len(train_classes)} and '
        f'{len(val_classes)}), so their labels would not mean the same: only {os.fspath(owner)!r} has {different[0]!r}'
    )
