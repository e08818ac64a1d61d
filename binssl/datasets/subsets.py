"""Sets made of others: a bank and a query, a few labels, some images of each class."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import default_collate

from binssl.core.randomness import permutation
from binssl.datasets.base import DerivedDataset, ImageDataset
from binssl.datasets.build import build_dataset
from binssl.datasets.checks import check_same_classes
from binssl.datasets.fingerprint import fingerprint_of
from binssl.datasets.imagenet import ImageNet
from binssl.registry import DATASETS, ConfigError, DataError


@DATASETS.register_module()
class BankAndQuery(DerivedDataset):
    """What an evaluation of features reads: the bank's samples to learn from, then the query's, which are scored.

    ``indices`` count through both. ``banks`` is True for samples whose labels may be learnt from and False
    for those that are scored.

    Args:
        bank: config of the data set to learn from.
        query: config of the data set to score.
        seed: handed to both where their configs name none.

    Raises:
        ConfigError: the two have different numbers of views, or different classes.
    """

    def __init__(self, bank: dict, query: dict, seed: int = 0) -> None:
        self.bank, self.query = self.parts = (build_dataset(bank, seed), build_dataset(query, seed))
        self.seed = seed
        if self.bank.num_views != self.query.num_views:
            both = f'the bank has {self.bank.num_views} views and the query {self.query.num_views}'
            raise ConfigError(f'BankAndQuery: {both}; both need the same number')
        check_same_classes(self.bank, self.query, "BankAndQuery's bank", 'its query')
        self.classes = self.bank.classes

    @property
    def num_classes(self) -> int:  # type: ignore[override]  # the parts may learn it when they are asked
        return max(self.bank.num_classes or 0, self.query.num_classes or 0)

    @property
    def labels(self) -> np.ndarray | None:  # type: ignore[override]
        first, second = self.bank.labels, self.query.labels
        if first is None or second is None or first.ndim != second.ndim:
            return None
        return np.concatenate([first, second])

    def __len__(self) -> int:
        return len(self.bank) + len(self.query)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        (index,), (epoch,) = self.split_keys([key])
        part, place = self.locate(int(index))
        return dict(part[(place, int(epoch))], indices=int(index), banks=part is self.bank)

    def __getitems__(self, keys: Sequence[int | tuple[int, int]]) -> dict[str, Any]:
        """The batch of ``keys``: made whole where a part makes whole batches, else sample by sample."""
        indices, epochs = self.split_keys(keys)
        in_bank = indices < len(self.bank)
        if in_bank.any() and not in_bank.all():  # one batch of an ordered epoch at most
            return default_collate([self[key] for key in keys])
        part, first = (self.bank, 0) if in_bank.all() else (self.query, len(self.bank))
        batch = part.batch(_pairs(indices - first, epochs))
        return dict(batch, indices=torch.from_numpy(indices), banks=torch.from_numpy(in_bank))

    def locate(self, index: int) -> tuple[ImageDataset, int]:
        self.split_keys([index])
        first = len(self.bank)
        return (self.bank, index) if index < first else (self.query, index - first)


class Chosen(DerivedDataset):
    """Some of the samples of another set, which are its own but for ``indices``.

    Args:
        dataset: the other set, whose labels are known.
        places: in it, int64 (N,).
        seed: of the run.
    """

    labels: np.ndarray

    def __init__(self, dataset: ImageDataset, places: np.ndarray, seed: int) -> None:
        assert dataset.labels is not None
        self.dataset, self.parts, self.places, self.seed = dataset, (dataset,), places, seed
        self.labels = dataset.labels[places]
        self.num_classes, self.classes = dataset.num_classes, dataset.classes

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        (index,), epochs = self.split_keys([key])
        return dict(self.dataset[_pairs(self.places[[index]], epochs)[0]], indices=int(index))

    def __getitems__(self, keys: Sequence[int | tuple[int, int]]) -> dict[str, Any]:
        """The batch of ``keys``, made whole where the other set makes whole batches."""
        indices, epochs = self.split_keys(keys)
        return dict(self.dataset.batch(_pairs(self.places[indices], epochs)), indices=torch.from_numpy(indices))

    def locate(self, index: int) -> tuple[ImageDataset, int]:
        return self.dataset, int(self.places[index])


def _pairs(indices: np.ndarray, epochs: np.ndarray) -> list[int | tuple[int, int]]:
    return list(zip(indices.tolist(), epochs.tolist(), strict=True))


@DATASETS.register_module()
class SomeOfEachClass(Chosen):
    """At most ``per_class`` images of each class of another set, chosen at random, in its order.

    For protocols that read a few images of each class: low-shot SVMs on Places205 draw 5 x 96 a class at the most, and
    features of all its 2.4 million images would take 90 GB.

    Args:
        dataset: config of the other set, which says its labels before an image is read.
        per_class: how many at the most.
        draw: another number, another choice; nothing else changes it.
        seed: handed to the other set where its config names none.

    Raises:
        ConfigError: ``per_class`` below 1, or a set whose images are not of one class each.
        DataError: it has no labels.
    """

    def __init__(self, dataset: dict, per_class: int, draw: int = 0, seed: int = 0) -> None:
        if per_class < 1:
            raise ConfigError(f'SomeOfEachClass: per_class is {per_class!r}; it must be a whole number of at least 1')
        whole = build_dataset(dataset, seed)
        labels = whole.labels
        if labels is None or labels.ndim != 1:
            rule = 'images of one class each, known before they are read'
            raise ConfigError(f'SomeOfEachClass needs {rule}; {whole.kind} has none of them')
        if unknown := int((labels < 0).sum()):
            raise DataError(f'{unknown:,} of {len(labels):,} images of {whole.kind} have no label')
        super().__init__(whole, choose(labels, per_class, draw), seed)

    def fingerprint(self) -> str:
        return fingerprint_of(self.dataset.fingerprint(), indices=self.places, labels=self.labels)


def choose(labels: np.ndarray, per_class: int, draw: int = 0) -> np.ndarray:
    """Places of at most ``per_class`` of each of the labels (N,), in order."""
    mixed = permutation(draw, 0, len(labels))
    grouped = mixed[np.argsort(labels[mixed], kind='stable')]  # class by class, each in the order of the draw
    starts = np.searchsorted(labels[grouped], labels[grouped])
    return np.sort(grouped[np.arange(len(grouped)) - starts < per_class])


@DATASETS.register_module()
class ImageNetSubset(ImageNet):
    """A few per cent of ImageNet's training images with their labels, by the list ``meta/train_labeled_1percent.txt``.

    Args:
        percent: which list: ``meta/train_labeled_{percent}percent.txt``.
        root, views, seed, most_bad_fraction: as of :class:`ImageNet`.

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
        check_percent('ImageNetSubset', percent)
        self.lists, self.labeled_lists = (), (f'meta/train_labeled_{percent:g}percent.txt',)
        command = f'python tools/prepare_data/subsets.py ROOT --percent {percent:g}'
        self.layout = f'write it with {command} (with --official FILE the published one). {ImageNet.layout}'
        super().__init__('train', root, 'list', True, views, None, seed, most_bad_fraction)


@DATASETS.register_module()
class FewLabels(Chosen):
    """A few per cent of a set in memory with their labels, of every class alike, as :func:`draw_places` has it.

    ImageNet has lists for it: :class:`ImageNetSubset`.

    Args:
        dataset: config of a labelled set in memory (Digits, CIFAR10, ...).
        percent: of its images, above 0 and below 100.
        draw: another number, another draw.
        seed: handed to the set where its config names none.

    Raises:
        ConfigError: a percentage out of range, or a set without labels in memory.
    """

    def __init__(self, dataset: dict, percent: float, draw: int = 0, seed: int = 0) -> None:
        check_percent('FewLabels', percent)
        whole = build_dataset(dataset, seed)
        if whole.images is None or whole.labels is None:
            rule = 'FewLabels takes a set with images and labels in memory, such as Digits or CIFAR10'
            raise ConfigError(f'{rule}; {whole.kind} is none: take a list of some of its images (ImageList)')
        super().__init__(whole, np.array(draw_places(whole.labels, percent, draw)), seed)
        self.images = whole.images[self.places]
        self.split = f'{whole.split} {percent:g} %'.strip()

    def name(self, index: int) -> str:
        return ImageDataset.name(self, index)  # by its place among the few

    def fingerprint(self) -> str:
        return fingerprint_of(self.dataset.fingerprint(), images=self.images, labels=self.labels)


def draw_places(
    labels: np.ndarray, percent: float, draw: int = 0, name_of: Callable[[int], bytes] = lambda place: b'%d' % place
) -> list[int]:
    """Places of ``percent`` of the samples of each of the labels (N,), at least one each, in order.

    Of each class those are taken whose names have the smallest SHA-256 of ``DRAW/NAME``: a draw without replacement
    that depends on names only, and in which the 1 % lie within the 10 %.
    """
    members = [np.flatnonzero(labels == label).tolist() for label in np.unique(labels)]
    places: list[int] = []
    for group, count in zip(members, share_out([len(group) for group in members], percent), strict=True):
        digests = {place: hashlib.sha256(b'%d/' % draw + name_of(place)).digest() for place in group}
        places += sorted(group, key=digests.__getitem__)[:count]
    return sorted(places)


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


def check_percent(owner: str, percent: float) -> None:
    """Raise a ConfigError unless ``percent`` leaves some of a set, and not all."""
    if not 0 < percent < 100:
        raise ConfigError(f'percent {percent!r} of {owner} must lie above 0 and below 100')
