"""Images in folders: what a folder holds, and the indexes of class folders and of whole trees."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from binssl.datasets.file_index import UNKNOWN, FileIndex, PackedNames
from binssl.registry import DataError

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.ppm', '.tif', '.tiff')
_SUFFIXES = ', '.join(IMAGE_SUFFIXES)
_RAW_SUFFIXES = tuple(suffix.encode() for suffix in IMAGE_SUFFIXES)
_NUMBER = re.compile('[0-9]+')


class Listing(NamedTuple):
    """Names as the file system has them: bytes, of any encoding. Links count as what they lead to."""

    files: list[bytes]
    folders: list[bytes]
    dangling: list[bytes]


def list_folder(folder: str | Path) -> Listing:
    """What is in ``folder``, in no order.

    Raises:
        DataError: the folder cannot be read.
    """
    listing = Listing([], [], [])
    try:
        with os.scandir(os.fsencode(folder)) as entries:
            for entry in entries:
                try:
                    if entry.is_file():
                        listing.files.append(entry.name)
                    elif entry.is_dir():
                        listing.folders.append(entry.name)
                    elif entry.is_symlink():
                        listing.dangling.append(entry.name)
                except OSError:  # links in a circle
                    listing.dangling.append(entry.name)
    except OSError as error:
        rule = 'it must be there as long as the run lasts, readable for who trains, as those above (chmod a+rX)'
        raise DataError(f'folder {os.fspath(folder)!r} cannot be read: {error.strerror}; {rule}') from error
    return listing


def list_images(folder: str | Path) -> Listing:
    """The same with the images alone among the files, and in order; hidden names are passed over.

    Raises:
        DataError: the folder cannot be read, or an image in it is a link to nothing.
    """
    listing = list_folder(folder)
    if lost := sorted(filter(_is_image, listing.dangling)):
        path = os.path.join(folder, os.fsdecode(lost[0]))
        others = f' (and {len(lost) - 1} more in that folder)' if len(lost) > 1 else ''
        remedy = 'mend or remove it (find -L FOLDER -type l lists such links)'
        raise DataError(f'{path!r} is a link to {os.readlink(path)!r}, which is not there{others}: {remedy}')
    return Listing(sorted(filter(_is_image, listing.files)), sorted(filter(_is_shown, listing.folders)), [])


def _is_shown(name: bytes) -> bool:
    return not name.startswith(b'.')


def _is_image(name: bytes) -> bool:
    return name.lower().endswith(_RAW_SUFFIXES) and _is_shown(name)


def class_folders(folder: str | Path) -> list[str]:
    """Names of the class folders in ``folder``, in the order that makes the labels.

    Alphabetical, as torchvision has it; but folders that are all named by whole numbers are in the order of these
    numbers, so that of 0 to 999 each is its own label (in the alphabet, 10 comes before 2).
    """
    names = sorted(os.fsdecode(name) for name in list_folder(folder).folders if _is_shown(name))
    return sorted(names, key=int) if all(map(_NUMBER.fullmatch, names)) else names


def index_folder(folder: str | Path, num_classes: int | None = None) -> FileIndex:
    """The images of ``folder/CLASS/IMAGE``; a label is the class folder's place among :func:`class_folders`.

    Raises:
        DataError: a folder is missing, cannot be read or is empty, an image is a link to nothing, or there are more
            class folders than ``num_classes``.
    """
    _check_folder(folder)
    classes, counts = class_folders(folder), []
    if not classes:
        rule = "expected is CLASS/IMAGE.JPEG (images without labels may be in any folder: type='Unlabeled')"
        raise DataError(f'{os.fspath(folder)!r} holds no class folders; {rule}')
    if num_classes is not None and len(classes) > num_classes:
        both = f'{len(classes)} class folders, more than num_classes={num_classes}'
        raise DataError(f'{os.fspath(folder)!r} holds {both}')

    def names() -> Iterator[bytes]:
        for name in classes:
            listing = list_images(os.path.join(folder, name))
            if not listing.files:
                below = f'; it holds folders, such as {os.fsdecode(listing.folders[0])!r}' if listing.folders else ''
                raise DataError(f'class folder {os.path.join(folder, name)!r} holds no image ({_SUFFIXES}){below}')
            counts.append(len(listing.files))
            yield from (os.fsencode(name) + b'/' + file for file in listing.files)

    packed = PackedNames(names())
    return FileIndex(folder, packed, np.repeat(np.arange(len(classes)), counts), classes).check_readable()


def index_tree(folder: str | Path) -> FileIndex:
    """Every image in ``folder`` and the folders below it, without labels; links to folders are followed.

    Folders come in alphabetical order, each with its images before its folders.

    Raises:
        DataError: there is no image, a folder is missing or cannot be read, or an image is a link to nothing.
    """
    _check_folder(folder)
    seen: set[str] = set()

    def names() -> Iterator[bytes]:
        waiting = ['']
        while waiting:
            below = waiting.pop()
            place = os.path.join(folder, below)
            if (real := os.path.realpath(place)) in seen:  # links lead in a circle, or twice to the same images
                continue
            seen.add(real)
            listing = list_images(place)
            yield from (os.path.join(os.fsencode(below), file) for file in listing.files)
            waiting += [os.path.join(below, os.fsdecode(name)) for name in reversed(listing.folders)]

    packed = PackedNames(names())
    if not len(packed):
        raise DataError(f'{os.fspath(folder)!r} holds no image ({_SUFFIXES}), nor do the {len(seen) - 1} folders in it')
    return FileIndex(folder, packed, np.full(len(packed), UNKNOWN, dtype=np.int64)).check_readable()


def _check_folder(folder: str | Path) -> None:
    if not os.path.isdir(folder):
        raise DataError(f'there is no image folder {os.fspath(folder)!r}')


def find_root(title: str, places: Sequence[str | Path], layout: str) -> Path:
    """The first of the ``places`` that is a folder.

    Raises:
        DataError: none is; ``layout`` says what is expected of the data set ``title``.
    """
    for place in places:
        if os.path.isdir(place):
            return Path(place)
    tried = ', '.join(os.fspath(place) for place in places)
    raise DataError(f'no {title}: there is no folder {tried} (in {os.getcwd()!r}); {layout}')
