"""The order in which samples are seen."""

from __future__ import annotations

from collections.abc import Iterator, Sized

import numpy as np
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from binssl.core.randomness import permutation
from binssl.registry import DATA_SAMPLERS, ConfigError


@DATA_SAMPLERS.register_module()
class EpochSampler(Sampler):
    """Every sample once an epoch, as pairs (index, epoch), in an order that (seed, epoch) alone decide.

    The global order is filled up to a multiple of the number W of processes from its own start, and process r
    takes the positions r, r + W, r + 2W, ... With a batch of B per process, the k-th batches of all processes
    together are therefore positions kBW to (k+1)BW - 1: the k-th batch of one process with batch BW. (The
    number of batches agrees too, but where only the filling completes the last one.)

    Training loops call :meth:`set_epoch`; a resume in the middle of an epoch calls :meth:`start_at`.

    Args:
        dataset: anything with a length.
        shuffle: False keeps the data set's order, for evaluation.
        seed: of the run, the same on every process. None counts as 0.
    """

    def __init__(self, dataset: Sized, shuffle: bool = True, seed: int | None = 0) -> None:
        if len(dataset) == 0:
            raise ConfigError('EpochSampler got a data set without samples')
        self.rank, self.world_size = get_dist_info()
        self.dataset_length = len(dataset)
        self.shuffle = shuffle
        self.seed = seed or 0
        self.epoch = 0
        self._first = 0

    def __len__(self) -> int:
        """Samples of a whole epoch on this process, wherever the next iteration starts."""
        return -(-self.dataset_length // self.world_size)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        first, self._first = self._first, 0
        epoch = self.epoch
        if self.shuffle:
            order = permutation(self.seed, epoch, self.dataset_length)
        else:
            order = np.arange(self.dataset_length)
        own = np.resize(order, len(self) * self.world_size)[self.rank :: self.world_size]
        return ((index, epoch) for index in own[first:].tolist())

    def set_epoch(self, epoch: int) -> None:
        """The epoch that the next iteration belongs to."""
        self.epoch = epoch

    def start_at(self, position: int) -> None:
        """The next iteration, and it alone, begins at this process's ``position``-th sample."""
        if not 0 <= position <= len(self):
            raise ValueError(f'an epoch has {len(self)} samples on this process; it cannot start at {position}')
        self._first = position
