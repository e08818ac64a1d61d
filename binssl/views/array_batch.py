"""Batches of photos that are made as arrays: straight into the memory that the loader hands over."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import tee

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from binssl.registry import ConfigError

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h

ArrayView = Callable[[Iterable[np.ndarray], np.ndarray], Iterable[np.ndarray]]


def make_views(photos: Iterable[np.ndarray], views: Sequence[ArrayView], keys: np.ndarray, owner: str) -> list[Tensor]:
    """All views of N photos, V uint8 tensors (N, 3, H, W).

    Args:
        photos: N arrays uint8 (H, W, 3), each read when its turn comes.
        views: V of them, from photos and their keys to photos.
        keys: uint64 (N, V).
        owner: the data set, for the errors.
    """
    if get_worker_info() is not None:
        settle_worker()
    streams = [view(own, drawn) for view, own, drawn in zip(views, tee(photos, len(views)), keys.T, strict=True)]
    batch: list[Tensor] = []
    for row, made in enumerate(zip(*streams, strict=True)):  # one photo through all views, while it is in the cache
        batch = batch or [_empty(len(keys), photo) for photo in made]
        for place, photo in enumerate(made):
            _write(photo, batch[place][row].numpy(), f'view {place} of {owner}')
    return batch


@cache
def settle_worker() -> None:
    """Once in a loader's worker: no threads, as the other cores are the other workers', and freed memory is kept.

    Else glibc gives a photo's memory back to the system, whose pages then come anew for the next one, zeroed: 5 % to
    10 % of a worker's time.
    """
    cv2.setNumThreads(0)
    if platform.libc_ver()[0] == 'glibc':
        library = ctypes.CDLL(None)
        library.mallopt(_TRIM_THRESHOLD, 1 << 26)
        library.mallopt(_MMAP_THRESHOLD, 1 << 25)


def _empty(count: int, photo: np.ndarray) -> Tensor:
    """Memory for ``count`` views like ``photo``: in a worker shared with the training process, as default_collate's."""
    shape = (count, 3, *photo.shape[:2])
    batch = torch.empty(0, dtype=torch.uint8)
    if get_worker_info() is None:
        return batch.new_empty(shape)
    storage = batch.untyped_storage()._new_shared(int(np.prod(shape)), device=batch.device)
    return batch.new(storage).view(shape)


def _write(photo: np.ndarray, memory: np.ndarray, name: str) -> None:
    """A photo (H, W, 3) into ``memory`` (3, H, W)."""
    if photo.dtype != np.uint8 or photo.shape != (*memory.shape[1:], 3):
        given = f'{photo.dtype} {photo.shape} beside {(*memory.shape[1:], 3)}'
        raise ConfigError(f'{name} must give uint8 arrays (H, W, 3) of one size, not {given}: end it in a crop')
    cv2.split(photo, list(memory))  # in place; a sixth of the time that a transposed copy takes
