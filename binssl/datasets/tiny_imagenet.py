"""TinyImageNet (Stanford CS231n), decoded once and then in memory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from logging import WARNING
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import print_log

from binssl.core.files import replace_file
from binssl.datasets.decode import UNREADABLE, read_image
from binssl.datasets.folder_files import class_folders
from binssl.datasets.in_memory import InMemoryImages
from binssl.datasets.splits import check_split, warn_of_size
from binssl.registry import DATASETS, DataError

SIDE = 64
IMAGES = dict(train=100_000, val=10_000)
URL = 'http://cs231n.stanford.edu/tiny-imagenet-200.zip'
MD5 = '90528d7ca1a48142e341f4ef8d21d0de'
_REMEDY = f'extract tiny-imagenet-200.zip again, or remove the folder and use --download ({URL})'


@DATASETS.register_module()
class TinyImageNet(InMemoryImages):
    """200 classes of ImageNet at 64 x 64: 500 photos each to train on, 50 to validate.

    Read as published: ``wnids.txt``, ``train/WNID/images/*.JPEG``, ``val/images/*.JPEG`` and
    ``val/val_annotations.txt``. A label is the place of the WNID in the alphabet, as ``ImageFolder`` has it, not in
    ``wnids.txt``. The photos are decoded once and kept beside the data in one file, 1.2 GB for train, which all
    processes share.

    Args:
        split: ``train`` or ``val``.
        root: the folder with ``wnids.txt``. None: data/tiny-imagenet-200.
        views, seed, device: as in :class:`InMemoryImages`.

    Raises:
        DataError: if the set is not there, or not whole.
    """

    default_root = 'data/tiny-imagenet-200'

    def __init__(
        self,
        split: str = 'train',
        root: str | Path | None = None,
        views: Sequence | None = None,
        seed: int = 0,
        device: str = 'cpu',
    ) -> None:
        check_split('TinyImageNet', split, IMAGES)
        self.split, self.root = split, Path(self.default_root if root is None else root)
        self.classes = read_classes(self.root)
        self.num_classes = len(self.classes)
        names, labels = (index_train if split == 'train' else index_val)(self.root, self.classes)
        warn_of_size('TinyImageNet', self.root, split, len(names), IMAGES[split])
        pixels = load_pixels(self.root, names, SIDE, f'tiny_imagenet_{split}')
        super().__init__(torch.from_numpy(pixels), torch.from_numpy(labels), views, seed, device)


def read_classes(root: Path) -> list[str]:
    """The WNIDs in the order of their labels; the class folders of train are just these."""
    if not (root / 'wnids.txt').is_file():
        raise DataError(
            f'no TinyImageNet in {os.fspath(root)!r} (from {os.getcwd()!r}): there is no wnids.txt. Fetch it with '
            f'--download or from {URL} and extract it to data/, or name its folder: --cfg-options '
            'train_dataloader.dataset.root=... (likewise for val_dataloader and test_dataloader)'
        )
    classes = sorted((root / 'wnids.txt').read_text(encoding='utf-8').split())
    folders = class_folders(root / 'train') if (root / 'train').is_dir() else []
    if not classes:
        raise DataError(f'{os.fspath(root / "wnids.txt")!r} names no class; {_REMEDY}')
    if different := sorted(set(classes) ^ set(folders)):
        raise DataError(
            f'{os.fspath(root / "train")!r} holds {len(folders)} class folders and wnids.txt names {len(classes)}: '
            f'only one of them has {different[0]!r}; {_REMEDY}'
        )
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
        fewest = int(np.argmin(counts))
        raise DataError(
            f'{os.fspath(root / "train" / classes[fewest] / "images")!r} holds {counts[fewest]} JPEG images, the '
            f'largest class {max(counts)}, and the published classes equally many: it was extracted in part or '
            f'rearranged; {_REMEDY}'
        )
    return [image for images in files for image in images], np.repeat(np.arange(len(classes)), counts)


def index_val(root: Path, classes: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Names, relative to ``root``, and labels int64 (N,) of the validation images, in the order of the list."""
    listing = root / 'val' / 'val_annotations.txt'
    if not listing.is_file():
        raise DataError(
            f'there is no {os.fspath(listing)!r}: the set was extracted in part, or its validation images were sorted '
            f'into class folders (which ImageFolder reads); {_REMEDY}'
        )
    rows = [line.split('\t') for line in listing.read_text(encoding='utf-8').splitlines() if line.strip()]
    label_of = {name: label for label, name in enumerate(classes)}
    for number, row in enumerate(rows, start=1):
        if len(row) < 2 or row[1] not in label_of:
            raise DataError(
                f'{os.fspath(listing)!r}, line {number}: {row[:2]} should be an image and one of the '
                f'{len(classes)} classes of wnids.txt, separated by a tab; {_REMEDY}'
            )
    if without := sorted(set(classes) - {row[1] for row in rows}):
        raise DataError(f'{os.fspath(listing)!r} names no image of class {without[0]!r}, which train has; {_REMEDY}')
    folder = root / 'val' / 'images'
    there = set(os.listdir(folder)) if folder.is_dir() else set()
    if missing := [row[0] for row in rows if row[0] not in there]:
        raise DataError(
            f'{os.fspath(folder)!r} lacks {len(missing)} of {len(rows)} images that val_annotations.txt names, such as '
            f'{missing[0]!r}: it was extracted in part; {_REMEDY}'
        )
    labels = np.array([label_of[row[1]] for row in rows], dtype=np.int64)
    return [f'val/images/{row[0]}' for row in rows], labels


def load_pixels(folder: Path, names: Sequence[str], side: int, title: str) -> np.ndarray:
    """The pixels of the images ``names`` in ``folder``, from the file that holds them, or decoded and kept there.

    The file is ``binssl_<title>_<fingerprint>.npy``. The fingerprint is of all names, sizes and times of change: images
    that were changed, added or removed have another, and the old file goes. Where the folder cannot be written to, the
    images are decoded at every start.

    Args:
        folder: where the images are, and the file will be.
        names: of the N images, relative to the folder.
        side: height and width of each.
        title: tells files of the same folder apart.

    Returns:
        uint8 (N, 3, side, side), mapped from the file where there is one.

    Raises:
        DataError: for an image that cannot be decoded, or has another size.
    """
    cache = folder / f'binssl_{title}_{_fingerprint(folder, names)}.npy'
    shape = (len(names), 3, side, side)
    kept = _map(cache, shape)
    if kept is not None:
        return kept
    print_log(f'decoding the {len(names):,} images of {title} in {os.fspath(folder)!r}, once', logger='current')
    pixels = np.empty(shape, dtype=np.uint8)
    for place, name in enumerate(names):
        pixels[place] = _decode(folder / name, side)
    if not _keep(cache, pixels):
        return pixels
    for stale in folder.glob(f'binssl_{title}_*.npy'):
        if stale != cache:
            stale.unlink(missing_ok=True)
    kept = _map(cache, shape)
    return pixels if kept is None else kept


def _fingerprint(folder: Path, names: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for name in names:
        status = os.stat(folder / name)
        digest.update(f'{name}\0{status.st_size}\0{status.st_mtime_ns}\n'.encode())
    return digest.hexdigest()[:16]


def _decode(path: Path, side: int) -> np.ndarray:
    try:
        image = read_image(os.fspath(path))
    except UNREADABLE as error:
        raise DataError(f'{os.fspath(path)!r} cannot be decoded ({error}); extract the set again') from error
    if image.size != (side, side):
        raise DataError(
            f'{os.fspath(path)!r} has {image.width} x {image.height} px, the images of this set {side} x {side}; '
            'is it another set? Extract the published one again'
        )
    return np.asarray(image).transpose(2, 0, 1)


def _map(cache: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """The array in ``cache``, shared by all processes; None where it is missing or damaged."""
    try:
        # copy on write: nothing is ever written, but torch wants an array that could be
        pixels = np.load(cache, mmap_mode='c', allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return pixels if pixels.shape == shape and pixels.dtype == np.uint8 else None


def _keep(cache: Path, pixels: np.ndarray) -> bool:
    """Writes ``cache``; whether it did."""

    def write(beside: Path) -> None:
        with beside.open('wb') as file:  # by its name, numpy would add an ending
            np.save(file, pixels)

    try:
        replace_file(cache, write)
    except OSError as error:
        print_log(
            f'{os.fspath(cache)!r} cannot be written ({error}): the images are decoded at every start',
            logger='current',
            level=WARNING,
        )
        return False
    return True
