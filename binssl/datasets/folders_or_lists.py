"""Published sets of photos that people keep as class folders or with list files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from binssl.datasets.file_index import FileIndex, class_folders, index_folder, index_list, list_has_labels
from binssl.datasets.images import ImageFiles
from binssl.datasets.splits import check_split
from binssl.registry import ConfigError, DataError, nearest_names

SOURCES = ('auto', 'folder', 'list')


class FoldersOrLists(ImageFiles):
    """The images of one split, by whichever of the usual layouts is there.

    Args:
        split: ``train`` or ``val``.
        root: the folder. None: the first of the usual ones that exists.
        source: ``list``, ``folder``, or ``auto``: a list where there is one, else the folder.
        labeled: whether labels are needed. A list without them is then not taken.
        num_classes: labels must lie below it. None: as many as the published set has.
        views, seed, most_bad_fraction: as in :class:`ImageFiles`.

    Attributes:
        title: what the set is called.
        usual_roots: where it is looked for.
        published_classes: its number of classes.
        lists, labeled_lists: list files in the root, the best first; ``{split}`` stands for the split.
        image_folders: what the paths in a list may be relative to, in the root.
        layout: says what is expected, for the errors.

    Raises:
        DataError: if no root or none of the sources is there, naming what was looked for; or, where labels are needed
            and folders give them, the class folders of train and val differ.
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
        self.split, self.root = split, self._find_root(root)
        self.num_classes = self.published_classes if num_classes is None else num_classes
        super().__init__(self._find_index(source, labeled), views, seed, most_bad_fraction)

    def _find_root(self, root: str | Path | None) -> Path:
        """``root``, if it is a folder, or the first of the usual ones."""
        tried = [Path(place) for place in (self.usual_roots if root is None else [root])]
        for place in tried:
            if place.is_dir():
                return place
        names = ', '.join(os.fspath(place) for place in tried)
        raise DataError(f'no {self.title}: there is no folder {names} (in {os.getcwd()!r}); {self.layout}')

    def _find_index(self, source: str, labeled: bool) -> FileIndex:
        without, having = self._paths(self.lists), self._paths(self.labeled_lists)
        folder = self.root / self.split
        if source != 'folder':
            for list_file in having + without if labeled else without + having:
                if list_file.is_file() and (not labeled or list_has_labels(list_file)):
                    return index_list(list_file, self._paths(self.image_folders), self.num_classes)
        if source != 'list' and folder.is_dir():
            index = index_folder(folder, self.num_classes)
            if labeled:
                check_same_folders(self.root / 'train', self.root / 'val')
            return index
        looked = [] if source == 'folder' else [*without, *having]
        looked += [] if source == 'list' else [folder]
        names = ', '.join(os.fspath(path.relative_to(self.root)) for path in looked)
        raise DataError(
            f'{self.title} {self.split}{" with labels" if labeled else ""} is not in {os.fspath(self.root)!r}; '
            f'looked for {names}; {self.layout}'
        )

    def _paths(self, names: Sequence[str]) -> list[Path]:
        return [self.root / name.format(split=self.split) for name in names]


def check_same_folders(train: Path, val: Path) -> None:
    """Compare the class folders of both splits, where both have some.

    Raises:
        DataError: they differ. Labels are places in the order of the folders: from the first difference on, those of
            one split would mean other classes than those of the other, and every accuracy would be wrong.
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
