"""A few per cent of the labels: semi-supervised evaluation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from binssl.core.randomness import split_keys
from binssl.datasets.batched import BatchedDataset
from binssl.datasets.imagenet import ImageNet
from binssl.registry import DATASETS, ConfigError


@DATASETS.register_module()
class ImageNetSubset(ImageNet):
    """A few per cent of ImageNet's training images with their labels, by the list ``meta/train_labeled_1percent.txt``.

    Args:
        percent: which list: ``meta/train_labeled_{percent}percent.txt``.
        root: as of :class:`ImageNet`.
        views, seed, most_bad_fraction: as in :class:`ImageFiles`.

    Raises:
        DataError: the list is not there, with how to write it.
    """

    def __init__(
        self,
        percent: float,
        root: str | Path | None = None,
        views: Sequence | None = None,
        seed: int = 0,
        most_bad_fraction: float = 0.01,
    ) -> None:
        _check_percent('ImageNetSubset', percent)
        self.lists, self.labeled_lists = (), (f'meta/train_labeled_{percent:g}percent.txt',)
        self.layout = (
            f'write it with python tools/prepare_data/subsets.py ROOT --percent {percent:g} (with --official FILE '
            'the published one). ' + ImageNet.layout
        )
        super().__init__('train', root, 'list', True, views, None, seed, most_bad_fraction)


@DATASETS.register_module()
class FewLabels(BatchedDataset):
    """A few per cent of a set in memory with their labels, the same share of every class.

    Of each class at least one image is taken, those whose places have the smallest SHA-256 of ``DRAW/PLACE``: 1 % lie
    within 10 %. ImageNet has lists for it: :class:`ImageNetSubset`.

    Args:
        dataset: config of a labelled set in memory (Digits, CIFAR10, ...).
        percent: of its images, above 0 and below 100.
        draw: another number, another draw.
        seed: handed to the set where its config names none.

    Raises:
        ConfigError: a percentage out of range, or a set without labels in memory.
    """

    def __init__(self, dataset: dict, percent: float, draw: int = 0, seed: int = 0) -> None:
        _check_percent('FewLabels', percent)
        self.dataset = DATASETS.build(dataset, default_args=dict(seed=seed))
        self.seed = seed
        images, labels = (getattr(self.dataset, name, None) for name in ('images', 'labels'))
        if images is None or labels is None:
            raise ConfigError(
                f'FewLabels takes a set with images and labels in memory, such as Digits or CIFAR10; '
                f'{type(self.dataset).__name__} is none: take a list of some of its images (ImageList)'
            )
        classes = torch.as_tensor(labels).cpu().numpy()
        self.places = draw_places(classes, percent, draw)
        self.images, self.labels = images[self.places], labels[self.places]
        self.num_classes, self.views = self.dataset.num_classes, self.dataset.views
        self.split = f'{getattr(self.dataset, "split", "")} {percent:g} %'.strip()

    def __len__(self) -> int:
        return len(self.places)

    def __getitems__(self, keys: Sequence[int | tuple[int, int]]) -> dict[str, Any]:
        """See :class:`BatchedDataset`."""
        indices, epochs = split_keys(keys)
        inner = [(int(place), int(epoch)) for place, epoch in zip(self.places[indices], epochs, strict=True)]
        return dict(self.dataset.__getitems__(inner), indices=torch.from_numpy(indices))


def draw_places(labels: np.ndarray, percent: float, draw: int = 0) -> np.ndarray:
    """Places of ``percent`` of the samples of each class, in order.

    Args:
        labels: int64 (N,).
        percent: above 0 and below 100.
        draw: another number, another draw.
    """
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    counts = share_out([len(group) for group in members], percent)
    chosen = [
        sorted(group.tolist(), key=lambda place: hashlib.sha256(f'{draw}/{place}'.encode()).digest())[:count]
        for group, count in zip(members, counts, strict=True)
    ]
    return np.array(sorted(place for group in chosen for place in group))


def share_out(sizes: Sequence[int], percent: float) -> list[int]:
    """``percent`` of each size as a whole number, at least 1; in all ``percent`` of the sum, where that allows.

    The numbers are rounded down, and what is left over goes to the largest remainders, the first among equals.
    """
    exact = np.asarray(sizes) * percent / 100
    counts = np.maximum(np.floor(exact).astype(int), 1)
    left = round(sum(sizes) * percent / 100) - int(counts.sum())
    order = np.argsort(counts - exact, kind='stable')
    counts[order[: max(left, 0)]] += 1
    return np.minimum(counts, sizes).tolist()


def _check_percent(owner: str, percent: float) -> None:
    if isinstance(percent, bool) or not isinstance(percent, (int, float)) or not 0 < percent < 100:
        raise ConfigError(f'percent {percent!r} of {owner} must lie above 0 and below 100')
