"""Batches of photos that are made as arrays: straight into the memory that the loader hands over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from binssl.registry import ConfigError

_AT_A_TIME = 8  # decoded photos that are held: enough for their random numbers to cost next to nothing

ArrayView = Callable[[list[np.ndarray], np.ndarray], list[np.ndarray]]


def make_views(photos: Iterable[np.ndarray], views: Sequence[ArrayView], keys: np.ndarray, owner: str) -> list[Tensor]:
    """All views of N photos, V uint8 tensors (N, 3, H, W).

    Args:
        photos: N arrays uint8 (H, W, 3), each read when its turn comes.
        views: V of them, of several photos and their keys.
        keys: uint64 (N, V).
        owner: the data set, for the errors.

    Raises:
        ConfigError: a view is no uint8 (H, W, 3), or not as large as the others.
    """
    if get_worker_info() is not None:
        cv2.setNumThreads(0)  # the other cores are the other workers'
    photos, batch = iter(photos), [torch.empty(0)] * len(views)
    for start in range(0, len(keys), _AT_A_TIME):
        held = list(islice(photos, _AT_A_TIME))
        rows = slice(start, start + len(held))
        for place, view in enumerate(views):
            made = view(held, keys[rows, place])
            if not start:
                batch[place] = _empty(len(keys), made[0])
            _fill(batch[place][rows], made, f'view {place} of {owner}')
    return batch


def _empty(count: int, photo: np.ndarray) -> Tensor:
    """Memory for ``count`` views like ``photo``: in a worker shared with the training process, as default_collate's."""
    shape = (count, 3, *photo.shape[:2])
    batch = torch.empty(0, dtype=torch.uint8)
    if get_worker_info() is None:
        return batch.new_empty(shape)
    storage = batch.untyped_storage()._new_shared(int(np.prod(shape)), device=batch.device)
    return batch.new(storage).view(shape)


def _fill(batch: Tensor, photos: Sequence[np.ndarray], name: str) -> None:
    """Writes photos (H, W, 3) into ``batch`` (n, 3, H, W)."""
    for row, photo in zip(batch.numpy(), photos, strict=True):
        if photo.dtype != np.uint8 or photo.shape != (*row.shape[1:], 3):
            raise ConfigError(
                f'{name} must give uint8 arrays (H, W, 3) of one size, not {photo.dtype} {photo.shape} beside '
                f'{(*row.shape[1:], 3)}: end it in a crop, PhotoCrop or PhotoCenterCrop'
            )
        cv2.split(photo, list(row))  # in place; a sixth of the time that a transposed copy takes
