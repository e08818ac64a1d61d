"""TinyImageNet (Stanford CS231n), decoded once and then in memory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from logging import WARNING
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from binssl.core.files import load_array, read_bytes, replace_file
from binssl.datasets.checks import warn_of_size
from binssl.datasets.decode import UNREADABLE, read_image
from binssl.datasets.folder_files import class_folders
from binssl.datasets.in_memory import PublishedImages, nothing_found
from binssl.registry import DATASETS, DataError

SIDE = 64
IMAGES = dict(train=100_000, val=10_000)
URL = 'http://cs231n.stanford.edu/tiny-imagenet-200.zip'
MD5 = '90528d7ca1a48142e341f4ef8d21d0de'


@DATASETS.register_module()
class TinyImageNet(PublishedImages):
    """200 classes of ImageNet at 64 x 64: 500 photos each to train on, 50 to validate.

    Read as published: ``wnids.txt``, ``train/WNID/images/*.JPEG``, ``val/images/*.JPEG`` and
    ``val/val_annotations.txt``. A label is the place of the WNID in the alphabet, as ``ImageFolder`` has it, not in
    ``wnids.txt``. The photos are decoded once and kept beside the data in one file, 1.2 GB for train, which all
    processes share.

    Arguments: :class:`PublishedImages`; ``split`` is ``train`` or ``val``, ``root`` the folder with ``wnids.txt``,
    data/tiny-imagenet-200 if None.
    """

    splits = ('train', 'val')
    default_root = 'data/tiny-imagenet-200'

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        self.classes = read_classes(self.root)
        self.num_classes = len(self.classes)
        names, labels = (index_train if self.split == 'train' else index_val)(self.root, self.classes)
        warn_of_size('TinyImageNet', self.root, self.split, len(names), IMAGES[self.split])
        return load_pixels(self.root, names, f'tiny_imagenet_{self.split}'), labels


def _broken(place: Path, problem: str) -> DataError:
    remedy = f'extract tiny-imagenet-200.zip again, or remove the folder and use --download ({URL})'
    return DataError(f'{os.fspath(place)!r} {problem}; {remedy}')


def read_classes(root: Path) -> list[str]:
    """The WNIDs in the order of their labels; the class folders of train are just these."""
    if not (root / 'wnids.txt').is_file():
        raise DataError(nothing_found('TinyImageNet', root, 'there is no wnids.txt', URL))
    classes = sorted(read_bytes(root / 'wnids.txt').decode('utf-8', 'replace').split())
    folders = class_folders(root / 'train') if (root / 'train').is_dir() else []
    if not classes:
        raise _broken(root / 'wnids.txt', 'names no class')
    if different := sorted(set(classes) ^ set(folders)):
        both = f'{len(folders)} class folders and wnids.txt names {len(classes)}'
        raise _broken(root / 'train', f'holds {both}: only one of them has {different[0]!r}')
    return classes


def index_train(root: Path, classes: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Names, relative to ``root``, and labels int64 (N,) of the training images."""
    files = []
    for name in classes:
        folder = root / 'train' / name / 'images'
        listed = sorted(os.listdir(folder)) if folder.is_dir() else []
        files.append([f'train/{name}/images/{file}' for file in listed if file.lower().endswith('.jpeg')])
    counts = [len(images) for images in files]
    if len(set(counts)) > 1 or not counts[0]:
        place = root / 'train' / classes[int(np.argmin(counts))] / 'images'
        both = f'{min(counts)} JPEG images and the largest class {max(counts)}'
        raise _broken(place, f'holds {both}, the published ones equally many: it was extracted in part or rearranged')
    return [image for images in files for image in images], np.repeat(np.arange(len(classes)), counts)


def index_val(root: Path, classes: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Names, relative to ``root``, and labels int64 (N,) of the validation images, in the order of the list."""
    listing, folder = root / 'val' / 'val_annotations.txt', root / 'val' / 'images'
    if not listing.is_file():
        sorted_in = 'its validation images were sorted into class folders (which ImageFolder reads)'
        raise _broken(listing, f'is not there: the set was extracted in part, or {sorted_in}')
    rows = [line.split('\t') for line in read_bytes(listing).decode('utf-8', 'replace').splitlines() if line.strip()]
    label_of = {name: label for label, name in enumerate(classes)}
    for number, row in enumerate(rows, start=1):
        if len(row) < 2 or row[1] not in label_of:
            rule = f'not an image, a tab and one of the {len(classes)} classes of wnids.txt'
            raise _broken(listing, f'has in line {number}: {row[:2]}, {rule}')
    if without := sorted(set(classes) - {row[1] for row in rows}):
        raise _broken(listing, f'names no image of class {without[0]!r}, which train has')
    there = set(os.listdir(folder)) if folder.is_dir() else set()
    if missing := [row[0] for row in rows if row[0] not in there]:
        told = f'lacks {len(missing)} of {len(rows)} images that val_annotations.txt names'
        raise _broken(folder, f'{told}, such as {missing[0]!r}: it was extracted in part')
    labels = np.array([label_of[row[1]] for row in rows], dtype=np.int64)
    return [f'val/images/{row[0]}' for row in rows], labels


def load_pixels(folder: Path, names: Sequence[str], title: str) -> np.ndarray:
    """The pixels of the images ``names`` in ``folder``, from the file that holds them, or decoded and kept there.

    The file is ``binssl_<title>_<fingerprint>.npy``. The fingerprint is of all names, sizes and times of change: images
    that were changed, added or removed have another, and the old file goes. Where the folder cannot be written to, the
    images are decoded at every start. Returns uint8 (N, 3, SIDE, SIDE), mapped from the file where there is one.
    """
    digest = hashlib.sha256()
    for name in names:
        status = os.stat(folder / name)
        digest.update(f'{name}\0{status.st_size}\0{status.st_mtime_ns}\n'.encode())
    cache = folder / f'binssl_{title}_{digest.hexdigest()[:16]}.npy'
    shape = (len(names), 3, SIDE, SIDE)
    if (kept := _map(cache, shape)) is not None:
        return kept
    print_log(f'decoding the {len(names):,} images of {title} in {os.fspath(folder)!r}, once', logger='current')
    pixels = np.empty(shape, dtype=np.uint8)
    for place, name in enumerate(names):
        pixels[place] = _decode(folder / name)

    def write(beside: Path) -> None:
        with beside.open('wb') as file:  # by its name, numpy would add an ending
            np.save(file, pixels)

    try:
        replace_file(cache, write)
    except OSError as error:
        told = f'{os.fspath(cache)!r} cannot be written ({error}): the images are decoded at every start'
        print_log(told, logger='current', level=WARNING)
        return pixels
    for stale in folder.glob(f'binssl_{title}_*.npy'):
        if stale != cache:
            stale.unlink(missing_ok=True)
    kept = _map(cache, shape)
    return pixels if kept is None else kept


def _decode(path: Path) -> np.ndarray:
    try:
        image = read_image(os.fspath(path))
    except UNREADABLE as error:
        raise DataError(f'{os.fspath(path)!r} cannot be decoded ({error}); extract the set again') from error
    if image.size != (SIDE, SIDE):
        rule = f'the images of this set {SIDE} x {SIDE}: extract the published one again'
        raise DataError(f'{os.fspath(path)!r} has {image.width} x {image.height} px, {rule}')
    return np.asarray(image).transpose(2, 0, 1)


def _map(cache: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """The array in ``cache``, shared by all processes; None where it is missing or damaged."""
    try:
        # copy on write: nothing is ever written, but torch wants an array that could be
        pixels = load_array(cache, mmap_mode='c')
    except (OSError, ValueError):
        return None
    return pixels if pixels.shape == shape and pixels.dtype == np.uint8 else None
