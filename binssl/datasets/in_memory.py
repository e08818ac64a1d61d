"""Small images, the whole set in memory and augmented a batch at a time."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from binssl.datasets.base import BatchedDataset, make_batch
from binssl.datasets.checks import check_split
from binssl.registry import ConfigError
from binssl.views.build import BATCH, build_views


class InMemoryImages(BatchedDataset):
    """Images of one size, held as uint8, with views that are made for the whole batch.

    Args:
        images: uint8 (N, 3, H, W).
        labels: int64 (N,).
        views: for each view a batch transform's config (``BatchCrop``, ``PhotoFlip``, ...) or a list of them. None: one
            view, the plain image.
        seed: of the augmentation.
        device: where the set is held and augmented. A GPU needs a loader with ``num_workers=0`` and without
            ``pin_memory``, whose batches are there already.

    Raises:
        ConfigError: if a view does not fit the images, or there is no such device.
    """

    images: Tensor
    labels: np.ndarray

    def __init__(
        self, images: Tensor, labels: Tensor, views: Sequence | None = None, seed: int = 0, device: str = 'cpu'
    ) -> None:
        self.seed, self.device = seed, _find_device(device, self.kind)
        self.images, self.labels = images.to(self.device), labels.cpu().numpy()
        self.views = build_views([[]] if views is None else views, owner=self.kind, takes=BATCH)
        self[0]  # a view that does not fit is an error now

    def __len__(self) -> int:
        return len(self.images)

    def __getitems__(self, keys: Sequence[int | tuple[int, int]]) -> dict[str, Any]:
        if self.device.type != 'cpu' and get_worker_info() is not None:
            raise ConfigError(
                f'{self.kind} is held by device {self.device}, which a worker process cannot use: set num_workers=0 '
                "and persistent_workers=False of this loader, or device='cpu'"
            )
        indices, epochs = self.split_keys(keys)
        originals = self.images.index_select(0, torch.from_numpy(indices).to(self.device))
        drawn = self.draw_keys(indices, epochs)
        images = [view(originals, own) for view, own in zip(self.views, drawn, strict=True)]
        return make_batch(images, torch.from_numpy(self.labels[indices]).to(self.device), indices, drawn)


class PublishedImages(InMemoryImages):
    """One split of a published set.

    Args:
        split: one of ``splits``.
        root: where the set is. None: ``default_root``.
        views, seed, device: as of :class:`InMemoryImages`.

    Raises:
        DataError: the set is not there, is another one, or is not whole.
    """

    splits: Collection[str]
    default_root: str

    def __init__(
        self,
        split: str = 'train',
        root: str | Path | None = None,
        views: Sequence | None = None,
        seed: int = 0,
        device: str = 'cpu',
    ) -> None:
        check_split(self.kind, split, self.splits)
        self.split, self.root = split, Path(self.default_root if root is None else root)
        images, labels = self.read()
        super().__init__(torch.from_numpy(images), torch.from_numpy(labels), views, seed, device)

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """The images uint8 (N, 3, H, W) and labels int64 (N,) of the split."""
        raise NotImplementedError


def nothing_found(title: str, root: Path, problem: str, url: str) -> str:
    """What is told where ``root`` does not hold the set ``title``, which --download fetches from ``url``."""
    return (
        f'no {title} in {os.fspath(root)!r} (from {os.getcwd()!r}): {problem}. Fetch it with --download or from {url}, '
        'or name its folder: --cfg-options train_dataloader.dataset.root=... (likewise for val_ and test_dataloader)'
    )


def _find_device(name: str, owner: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # an AssertionError where torch was built without CUDA
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{owner}: device {name!r} cannot be used ({reason}); set device='cpu'") from error
    return device
