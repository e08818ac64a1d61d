"""What data sets share that make whole batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset


def stack_keys(keys: Sequence[np.ndarray]) -> Tensor:
    """The counter keys of a batch, for what is drawn later: V x uint64 (N,) -> int64 (N, V) with the same bits."""
    return torch.from_numpy(np.stack(keys, axis=1).view(np.int64))


class BatchedDataset(Dataset):
    """A data set whose loader asks for whole batches (``__getitems__``) and gets them ready made.

    A sample is asked for by (index, epoch), a bare index means epoch 0, and comes as ``images`` (a list with a uint8
    tensor (3, H, W) per view), ``labels``, ``indices`` and ``keys`` (int64 (V,), the bits of each view's counter key,
    for what is left to the device). The loader's ``collate_fn`` is ``whole_batch``.

    Attributes:
        views: what makes each view of a sample, one an entry.
    """

    views: list[Any]

    @property
    def num_views(self) -> int:
        """Images that one sample has."""
        return len(self.views)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        batch = self.__getitems__([key])
        return dict(
            images=[view[0] for view in batch['images']],
            labels=int(batch['labels'][0]),
            indices=int(batch['indices'][0]),
            keys=batch['keys'][0],
        )

    def __getitems__(self, keys: Sequence[int | tuple[int, int]]) -> dict[str, Any]:
        """The batch of ``keys``: ``images`` V x uint8 (N, 3, H, W), ``labels`` and ``indices`` int64 (N,), ``keys``
        int64 (N, V).
        """
        raise NotImplementedError
