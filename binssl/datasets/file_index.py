"""Which image files a data set has, and their labels: from class folders, a list file, or any folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from binssl.datasets.folder_files import IMAGE_SUFFIXES, class_folders, list_images
from binssl.datasets.index_cache import Arrays, Watch, remember
from binssl.datasets.list_files import UNKNOWN, list_has_labels, read_list
from binssl.datasets.listed_folders import check_images_exist, find_folder
from binssl.datasets.packed_names import PackedNames
from binssl.registry import DataError

__all__ = [
    'IMAGE_SUFFIXES',
    'UNKNOWN',
    'FileIndex',
    'PackedNames',
    'class_folders',
    'index_folder',
    'index_list',
    'index_tree',
    'list_has_labels',
]


class FileIndex:
    """Image files with labels; loader workers share its arrays.

    Attributes:
        folder: what the names are relative to.
        names: N file names.
        classes: names of the class folders that made the labels, where such did.
    """

    def __init__(self, folder: str, names: PackedNames, labels: np.ndarray, classes: list[str] | None = None) -> None:
        self.folder, self.names, self.classes = folder, names, classes
        self._labels = torch.from_numpy(labels)

    @property
    def labels(self) -> np.ndarray:
        """int64 (N,), -1 where unknown."""
        return self._labels.numpy()

    def __len__(self) -> int:
        return len(self.names)

    def path(self, index: int) -> str:
        """Where the ``index``-th image is."""
        return os.path.join(self.folder, self.names[index])


def index_folder(folder: str | Path, num_classes: int | None = None) -> FileIndex:
    """The images of ``folder/CLASS/IMAGE``; a label is the class folder's place among them.

    The order is that of :func:`class_folders`: alphabetical, or by number where all are numbers.

    Raises:
        DataError: if the folder is missing or holds no class folders, a folder cannot be read or holds no image, an
            image is a link to nothing, or there are more class folders than ``num_classes``.
    """
    _check_folder(folder)
    arrays = remember('classes', [folder], lambda watch: _scan_classes(folder, watch))
    packed = _names(arrays, 'class')
    classes = [packed[label] for label in range(len(packed))]
    if num_classes is not None and len(classes) > num_classes:
        raise DataError(
            f'{os.fspath(folder)!r} holds {len(classes)} class folders, more than num_classes={num_classes}'
        )
    return _checked(FileIndex(os.fspath(folder), _names(arrays, 'name'), arrays['labels'], classes))


def index_tree(folder: str | Path) -> FileIndex:
    """Every image in ``folder`` and the folders below it, without labels; links to folders are followed.

    Folders come in alphabetical order, each with its images before its folders.

    Raises:
        DataError: if the folder is missing or holds no image, or a folder in it cannot be read, or an image is a link
            to nothing.
    """
    _check_folder(folder)
    arrays = remember('tree', [folder], lambda watch: _scan_tree(folder, watch))
    return _checked(FileIndex(os.fspath(folder), _names(arrays, 'name'), arrays['labels']))


def index_list(list_file: str | Path, folders: Sequence[str | Path], num_classes: int | None = None) -> FileIndex:
    """The images that a list file names: lines ``PATH``, or lines ``PATH LABEL``, as in OpenSelfSup and BURN.

    The first line tells which of the two the file has. Blank lines are skipped.

    Args:
        list_file: text.
        folders: what the paths may be relative to; the first that holds any of the first images is meant.
        num_classes: labels must lie below it.

    Raises:
        DataError: with line numbers, for a line of another form, a label out of range, or missing images.
    """
    roots = [list_file, *folders]
    arrays = remember('list', roots, lambda watch: _scan_list(list_file, folders, num_classes, watch))
    if num_classes is not None and (arrays['labels'] >= num_classes).any():
        read_list(list_file, num_classes)  # kept by a start with more classes; this names the line
    folder = folders[int(arrays['folder'])]
    return _checked(FileIndex(os.fspath(folder), _names(arrays, 'name'), arrays['labels']))


def _scan_classes(folder: str | Path, watch: Watch) -> Arrays:
    watch.add(0)
    classes, counts = class_folders(folder), []
    if not classes:
        raise DataError(
            f'{os.fspath(folder)!r} holds no class folders; images are expected in CLASS/IMAGE.JPEG (images without '
            "labels may be in any folder: type='Unlabeled')"
        )

    def names() -> Iterator[bytes]:
        for name in classes:
            watch.add(0, name)
            files = _class_images(os.path.join(folder, name))
            counts.append(len(files))
            yield from (os.fsencode(name) + b'/' + file for file in files)

    arrays = _arrays('name', PackedNames(names()))
    return dict(labels=np.repeat(np.arange(len(classes)), counts), **arrays, **_arrays('class', PackedNames(classes)))


def _class_images(folder: str) -> list[bytes]:
    listing = list_images(folder)
    if not listing.files:
        below = f'; it holds folders, such as {os.fsdecode(listing.folders[0])!r}' if listing.folders else ''
        raise DataError(f'class folder {folder!r} holds no image ({", ".join(IMAGE_SUFFIXES)}){below}')
    return listing.files


def _scan_tree(folder: str | Path, watch: Watch) -> Arrays:
    seen: set[str] = set()

    def names() -> Iterator[bytes]:
        waiting = ['']
        while waiting:
            below = waiting.pop()
            place = os.path.join(folder, below)
            if (real := os.path.realpath(place)) in seen:  # links lead in a circle, or twice to the same images
                continue
            seen.add(real)
            watch.add(0, below)
            listing = list_images(place)
            yield from (os.path.join(os.fsencode(below), file) for file in listing.files)
            waiting += [os.path.join(below, os.fsdecode(name)) for name in reversed(listing.folders)]

    packed = PackedNames(names())
    if not len(packed):
        raise DataError(
            f'{os.fspath(folder)!r} holds no image ({", ".join(IMAGE_SUFFIXES)}), nor do the {len(seen) - 1} folders '
            'in it'
        )
    return dict(labels=np.full(len(packed), UNKNOWN, dtype=np.int64), **_arrays('name', packed))


def _scan_list(list_file: str | Path, folders: Sequence[str | Path], num_classes: int | None, watch: Watch) -> Arrays:
    watch.add(0)
    listed = read_list(list_file, num_classes)
    # those that are looked into in vain too: the list may come to mean them
    place = find_folder(list_file, listed, folders, lambda tried, name: watch.add(tried + 1, name))
    check_images_exist(list_file, listed, folders[place], lambda name: watch.add(place + 1, name))
    return dict(labels=listed.labels, folder=np.array(place), **_arrays('name', listed.names))


def _arrays(title: str, names: PackedNames) -> Arrays:
    content, ends = names.arrays()
    return {f'{title}_content': content, f'{title}_ends': ends}


def _names(arrays: Arrays, title: str) -> PackedNames:
    return PackedNames.from_arrays(arrays[f'{title}_content'], arrays[f'{title}_ends'])


def _check_folder(folder: str | Path) -> None:
    if not os.path.isdir(folder):
        raise DataError(f'there is no image folder {os.fspath(folder)!r}')


def _checked(index: FileIndex) -> FileIndex:
    """The index, where its first, middle and last images can be opened."""
    for place in (0, len(index) // 2, len(index) - 1):
        try:
            with open(index.path(place), 'rb'):
                pass
        except OSError as error:
            raise DataError(
                f'image {index.path(place)!r} cannot be opened: {error.strerror}; images must be readable for the '
                'user who trains (chmod -R a+rX FOLDER)'
            ) from error
    return index
