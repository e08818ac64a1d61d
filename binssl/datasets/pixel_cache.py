"""Many small images, decoded once: their pixels are kept in one file beside them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from logging import WARNING
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from binssl.core.files import replace_file
from binssl.datasets.images import UNREADABLE, read_image
from binssl.registry import DataError


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
