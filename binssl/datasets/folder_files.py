"""What a folder holds: its files, its folders and its links to nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from binssl.registry import DataError

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.ppm', '.tif', '.tiff')
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
                _kind(entry, listing).append(entry.name)
    except OSError as error:
        raise DataError(
            f'folder {os.fspath(folder)!r} cannot be read: {error.strerror}; it and the folders above it must be there '
            'as long as the run lasts, readable and searchable for the user who trains (chmod a+rX)'
        ) from error
    return listing


def _kind(entry: os.DirEntry[bytes], listing: Listing) -> list[bytes]:
    try:
        if entry.is_file():
            return listing.files
        if entry.is_dir():
            return listing.folders
    except OSError:  # links in a circle
        return listing.dangling
    return listing.dangling if entry.is_symlink() else []


def list_images(folder: str | Path) -> Listing:
    """The same with the images alone among the files, and in order; hidden names are passed over.

    Raises:
        DataError: the folder cannot be read, or an image in it is a link to nothing.
    """
    listing = list_folder(folder)
    if lost := sorted(filter(_is_image, listing.dangling)):
        path = os.path.join(folder, os.fsdecode(lost[0]))
        others = f' (and {len(lost) - 1} more in that folder)' if len(lost) > 1 else ''
        raise DataError(
            f'{path!r} is a link to {os.readlink(path)!r}, which is not there{others}: mend or remove it '
            '(find -L FOLDER -type l lists such links)'
        )
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
    return order_classes(os.fsdecode(name) for name in filter(_is_shown, list_folder(folder).folders))


def order_classes(names: Iterable[str]) -> list[str]:
    """Names of class folders in the order that makes the labels."""
    alphabetical = sorted(names)
    return sorted(alphabetical, key=int) if all(map(_NUMBER.fullmatch, alphabetical)) else alphabetical
