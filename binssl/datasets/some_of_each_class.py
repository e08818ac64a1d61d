"""A large set made small: at most so many images of each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, default_collate

from binssl.core.randomness import permutation, split_keys
from binssl.registry import DATASETS, ConfigError, DataError


@DATASETS.register_module()
class SomeOfEachClass(Dataset):
    """At most ``per_class`` images of each class of another set, chosen at random, in its order.

    For protocols that read a few images of each class: low-shot SVMs on Places205 draw 5 x 96 a class at the most, and
    features of all its 2.4 million images would take 90 GB.

    Args:
        dataset: config of the other set, which says its labels before an image is read (``labels``, or files).
        per_class: how many at the most.
        draw: another number, another choice; nothing else changes it.
        seed: handed to the other set where its config names none.

    Attributes:
        indices: places in the other set, (N,).
        labels: int64 (N,).

    Raises:
        ConfigError: ``per_class`` below 1, or a set whose images are not of one class each.
        DataError: it has no labels.
    """

    def __init__(self, dataset: dict, per_class: int, draw: int = 0, seed: int = 0) -> None:
        if not isinstance(per_class, int) or per_class < 1:
            raise ConfigError(f'SomeOfEachClass: per_class is {per_class!r}; it must be a whole number of at least 1')
        self.dataset = DATASETS.build(dataset, default_args=dict(seed=seed))
        name = type(self.dataset).__name__
        known = getattr(self.dataset, 'labels', getattr(getattr(self.dataset, 'index', None), 'labels', None))
        labels = np.zeros((0, 0)) if known is None else torch.as_tensor(known).cpu().numpy()
        if labels.ndim != 1:
            raise ConfigError(
                f'SomeOfEachClass needs images of one class each, known before they are read; {name} has none of them'
            )
        if (labels < 0).any():
            raise DataError(f'{int((labels < 0).sum()):,} of {len(labels):,} images of {name} have no label')
        self.indices = choose(labels, per_class, draw)
        self.labels, self.seed = labels[self.indices], seed
        self.num_classes = self.dataset.num_classes
        self.classes = getattr(self.dataset, 'classes', None)

    @property
    def num_views(self) -> int:
        """Images that one sample has."""
        return self.dataset.num_views

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        (index,), (epoch,) = split_keys([key])
        if not 0 <= index < len(self):
            raise IndexError(f'index {index} is not among the {len(self)} samples')
        return dict(self.dataset[(int(self.indices[index]), int(epoch))], indices=int(index))

    def __getitems__(self, keys: Sequence[int | tuple[int, int]]) -> dict[str, Any]:
        """The batch of ``keys``, made whole where the other set makes whole batches."""
        indices, epochs = split_keys(keys)
        inner = [(int(place), int(epoch)) for place, epoch in zip(self.indices[indices], epochs, strict=True)]
        if not hasattr(self.dataset, '__getitems__'):
            return default_collate([self[key] for key in keys])
        batch = self.dataset.__getitems__(inner)
        return dict(batch if isinstance(batch, dict) else default_collate(batch), indices=torch.from_numpy(indices))


def choose(labels: np.ndarray, per_class: int, draw: int = 0) -> np.ndarray:
    """Places of at most ``per_class`` of each of the labels (N,), in order."""
    mixed = permutation(draw, 0, len(labels))
    grouped = mixed[np.argsort(labels[mixed], kind='stable')]  # class by class, each in the order of the draw
    starts = np.searchsorted(labels[grouped], labels[grouped])
    return np.sort(grouped[np.arange(len(grouped)) - starts < per_class])
