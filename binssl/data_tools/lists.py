"""List files and integer class ids of an image folder, as OpenSelfSup and BURN name and number them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from binssl.data_tools.placing import write_text
from binssl.datasets.file_index import FileIndex
from binssl.datasets.folder_files import index_folder
from binssl.registry import DataError

SPLITS = ('train', 'val')


def write_lists(root: Path, splits: Sequence[str] | None = None, overwrite: bool = False) -> list[str]:
    """Write ``meta/SPLIT.txt``, ``meta/SPLIT_labeled.txt`` and ``meta/class_ids.txt``.

    Lines are ``PATH``, or ``PATH LABEL``, paths relative to ``SPLIT/``. A label is the class folder's place among the
    class folders; class_ids.txt says which: lines ``FOLDER LABEL``.

    Args:
        root: holds ``SPLIT/CLASS/IMAGE``.
        splits: which; None: train and val, whichever of them is there.
        overwrite: whether other lists of these names may go.

    Returns:
        What was done, one line a file.

    Raises:
        DataError: no split is there, their classes differ, or another list is.
    """
    indexes = _index_splits(root, splits)
    classes = _same_classes(root, indexes)
    files = {'class_ids': [f'{name} {label}' for label, name in enumerate(classes)]}
    for split, index in indexes.items():
        names = [index.names[place] for place in range(len(index))]
        files[split] = names
        files[f'{split}_labeled'] = [f'{name} {label}' for name, label in zip(names, index.labels, strict=True)]
    return [write_text(root / 'meta' / f'{name}.txt', lines, overwrite) for name, lines in files.items()]


def link_by_id(root: Path, out: Path, splits: Sequence[str] | None = None) -> list[str]:
    """Make ``out/SPLIT/ID``, a link to each class folder ``root/SPLIT/CLASS``, named by the integer id.

    Ids are padded with zeros (000 to 999), so that their order as names is their order as numbers, whoever reads them.

    Returns:
        What was done, one line a split.

    Raises:
        DataError: no split is there, their classes differ, or something else is at a link's place.
    """
    indexes = _index_splits(root, splits)
    classes = _same_classes(root, indexes)
    digits = len(str(len(classes) - 1))
    for split in indexes:
        (out / split).mkdir(parents=True, exist_ok=True)
        for label, name in enumerate(classes):
            _link(out / split / f'{label:0{digits}d}', root / split / name)
    return [f'linked {len(classes):,} classes of {split} in {os.fspath(out / split)!r}' for split in indexes]


def _link(link: Path, folder: Path) -> None:
    target = folder.resolve()
    if link.is_symlink() or link.exists():
        if link.resolve() != target:
            raise DataError(f'{os.fspath(link)!r} is there and is no link to {os.fspath(folder)!r}; move it away')
        return
    # relative, so that the two folders can be moved together
    link.symlink_to(os.path.relpath(target, link.parent.resolve()), target_is_directory=True)


def _index_splits(root: Path, splits: Sequence[str] | None) -> dict[str, FileIndex]:
    asked = SPLITS if splits is None else splits
    there = [split for split in asked if (root / split).is_dir()]
    missing = [split for split in asked if split not in there]
    if not there or (missing and splits is not None):
        raise DataError(f'{os.fspath(root)!r} holds no {" and no ".join(missing)}; expected is SPLIT/CLASS/IMAGE in it')
    return {split: index_folder(root / split) for split in there}


def _same_classes(root: Path, indexes: dict[str, FileIndex]) -> list[str]:
    (first, index), *others = indexes.items()
    for split, other in others:
        if different := sorted(set(index.classes or ()) ^ set(other.classes or ())):
            raise DataError(
                f'{first} and {split} of {os.fspath(root)!r} have different class folders, so one id would mean two '
                f'classes: only one of them has {different[0]!r}'
            )
    return list(index.classes or ())
