"""Small images, the whole set in memory and augmented a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from binssl.datasets.counter import hash_counters, split_keys
from binssl.datasets.views import BATCH, build_views
from binssl.registry import ConfigError


class InMemoryImages(Dataset):
    """Images of one size, held as uint8, with views that are made for the whole batch.

    A sample is asked for by (index, epoch), a bare index means epoch 0, and comes as ``images`` (a list with a uint8
    tensor (3, H, W) per view), ``labels`` and ``indices``. A loader asks for whole batches (``__getitems__``) and
    gets them ready made: its ``collate_fn`` is ``whole_batch``.

    Args:
        images: uint8 (N, 3, H, W).
        labels: int64 (N,).
        views: for each view a batch transform's config (``BatchCrop``, ``BatchFlip``, ...) or a list of them. None: one
            view, the plain image.
        seed: augmentation depends on (seed, epoch, index) and the view's place in the list.
        device: where the set is held and augmented. A GPU needs a loader with ``num_workers=0`` and without
            ``pin_memory``, whose batches are there already.

    Raises:
        ConfigError: if a view does not fit the images, or there is no such device.
    """

    def __init__(
        self, images: Tensor, labels: Tensor, views: Sequence | None = None, seed: int = 0, device: str = 'cpu'
    ) -> None:
        self.name = type(self).__name__
        self.seed, self.device = seed, _find_device(device, self.name)
        self.images, self.labels = images.to(self.device), labels.to(self.device)
        self.views = build_views([[]] if views is None else views, owner=self.name, takes=BATCH)
        self[0]  # a view that does not fit is an error now

    @property
    def num_views(self) -> int:
        """Images that one sample has."""
        return len(self.views)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        batch = self.__getitems__([key])
        return dict(
            images=[view[0] for view in batch['images']],
            labels=int(batch['labels'][0]),
            indices=int(batch['indices'][0]),
        )

    def __getitems__(self, keys: Sequence[int | tuple[int, int]]) -> dict[str, Any]:
        """The batch of ``keys``: ``images`` V x uint8 (N, 3, H, W), ``labels`` and ``indices`` int64 (N,)."""
        if self.device.type != 'cpu' and get_worker_info() is not None:
            raise ConfigError(
                f'{self.name} is held by device {self.device}, which a worker process cannot use: set num_workers=0 '
                "and persistent_workers=False of this loader, or device='cpu'"
            )
        indices, epochs = split_keys(keys)
        outside = (indices < 0) | (indices >= len(self))
        if outside.any():
            raise IndexError(f'index {indices[outside][0]} is not among the {len(self)} samples')
        places = torch.from_numpy(indices)
        chosen = places.to(self.device)
        originals = self.images.index_select(0, chosen)
        views = [
            view(originals, hash_counters(self.seed, epochs, indices, stream))
            for stream, view in enumerate(self.views)
        ]
        return dict(images=views, labels=self.labels[chosen], indices=places)


def _find_device(name: str, owner: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # an AssertionError where torch was built without CUDA
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{owner}: device {name!r} cannot be used ({reason}); set device='cpu'") from error
    return device
