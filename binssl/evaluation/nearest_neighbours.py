"""k-nearest-neighbour accuracy of frozen features that stay in the processes which extracted them.

Queries go to all processes; lists of neighbours come back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.dist import all_gather, all_reduce, broadcast, gather, get_rank, get_world_size
from torch import Tensor

from binssl.evaluation.gather import EvaluationError, SampleMetric, check_samples, once_in_order
from binssl.evaluation.neighbour_search import (
    BYTES_AT_ONCE,
    Neighbours,
    check_neighbours,
    find_nearest,
    grid_rows,
    merge_nearest,
    rows_at_once,
    vote,
)
from binssl.registry import METRICS, ConfigError

Batches = list[dict[str, Tensor]]


@METRICS.register_module()
class KNNAccuracy(SampleMetric):
    """Weighted k-NN accuracy in percent (Wu et al., arXiv:1805.01978); the same with any processes.

    The k bank samples of highest cosine similarity s vote for their class with weight exp(s / temperature). Of equally
    similar samples those that stand first in the bank are taken.

    It is ``knn_top1`` for one number of neighbours, ``knn_top1_10``, ``knn_top1_20``, ... for several, all from one
    search. The search runs where the model did, exactly, in chunks of bank and queries; each process keeps the
    features that it has extracted, as float32 in its memory, and no other has them. For 1,281,167 x 1024 features that
    is 5.2 GB over all processes.

    Args:
        num_neighbours: how many bank samples vote; or several such numbers.
        temperature: of the votes' weights, > 0.
    """

    needs = ('features', 'labels', 'banks')

    def __init__(self, num_neighbours: int | Sequence[int] = 20, temperature: float = 0.07) -> None:
        super().__init__()
        counts: list[Any] = list(num_neighbours) if isinstance(num_neighbours, (list, tuple)) else [num_neighbours]
        if not counts or not all(type(count) is int and count >= 1 for count in counts):
            raise ConfigError(f'num_neighbours is {num_neighbours!r}; it must be a whole number above 0, or several')
        if len(set(counts)) < len(counts):
            raise ConfigError(f'num_neighbours is {num_neighbours}; give each number once')
        if not temperature > 0:
            raise ConfigError(f'temperature is {temperature!r}; it must be a number above 0')
        self.num_neighbours, self.temperature = counts, temperature
        self.device = torch.device('cpu')

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """See :class:`SampleMetric`."""
        super().process(data_batch, data_samples)
        for batch in data_samples:
            self.device = torch.as_tensor(batch['features']).device

    def evaluate(self, size: int) -> dict[str, float]:
        """The results over all processes, on every process; no features and nothing pickled go between them."""
        try:
            return self.compute_metrics(self.results)
        finally:
            self.results.clear()

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Score this process's batches ``results``, which are taken out of the list, with those of the others."""
        ledger = gather_ledger(results, self.device)
        check_samples(ledger.labels, ledger.banks, ledger.finite)
        check_neighbours(self.num_neighbours, int(ledger.banks.sum()))
        hits = count_hits(results, ledger, self.num_neighbours, self.temperature, self.device)
        queries = int((~ledger.banks).sum())
        names = [f'knn_top1_{count}' for count in self.num_neighbours] if len(hits) > 1 else ['knn_top1']
        return {name: 100 * hit / queries for name, hit in zip(names, hits, strict=True)}


@dataclass(frozen=True)
class Ledger:
    """Facts of all samples of all processes, each sample once and in the order of indices; (N,) each."""

    indices: Tensor  # in the data set, rising
    labels: Tensor  # negative where unknown
    banks: Tensor  # whether the label may be learnt from
    finite: Tensor  # whether all features are
    owners: Tensor  # the first process that has the sample
    rows: Tensor  # where it has it
    width: int  # D, of the features

    def own(self, banks: bool) -> Tensor:
        """Places of this process's samples among all of the bank, or among all queries; rising."""
        return (self.owners[self.banks == banks] == get_rank()).nonzero()[:, 0]


def gather_ledger(batches: Batches, device: torch.device) -> Ledger:
    """What all processes have, on every one of them: 32 bytes a sample go around, features do not.

    Raises:
        EvaluationError: there is no sample at all, or a sample has more than one label; on every process.
    """
    count = sum(len(batch['indices']) for batch in batches)
    several = any(batch['labels'].ndim > 1 for batch in batches)
    width = batches[0]['features'].shape[1] if batches else 0
    shapes = torch.stack(all_gather(torch.tensor([count, width, several], device=device))).cpu()  # (W, 3)
    counts, width, several = shapes[:, 0], int(shapes[:, 1].max()), bool(shapes[:, 2].any())
    if not counts.any():
        raise EvaluationError('k-NN was given no sample: the data set is empty')
    if several:
        raise EvaluationError(
            'k-NN reads one label a sample and these have several: take a data set of one class an '
            'image, or the SVM benchmark'
        )
    facts = torch.full((int(counts.max()), 4), -1, device=device)
    facts[:count] = torch.cat([_facts(batch) for batch in batches]) if batches else facts[:0]
    shares = [share[:size].cpu() for share, size in zip(all_gather(facts), counts.tolist(), strict=True)]
    indices, labels, banks, finite = torch.cat(shares).unbind(1)
    owners = torch.arange(len(counts)).repeat_interleave(counts)
    rows = torch.cat([torch.arange(size) for size in counts.tolist()])
    order = once_in_order(indices)
    labels, banks, finite, owners, rows = (fact[order] for fact in (labels, banks, finite, owners, rows))
    return Ledger(indices[order], labels, banks.bool(), finite.bool(), owners, rows, width)


def count_hits(
    batches: Batches, ledger: Ledger, counts: Sequence[int], temperature: float, device: torch.device
) -> list[int]:
    """How many queries of all processes the vote of their neighbours classifies rightly, for each of ``counts``.

    A process holds the features that it extracted, brought to unit length, and for the time of a block of queries
    (at most ``ROWS_AT_ONCE``) these, their neighbours in its own part of the bank and, if they are its own, those in
    all parts: 16 bytes a query, neighbour and process.

    This process's ``batches`` are taken out of the list. The ``ledger`` was found fit to be scored.
    """
    bank, queries = _take(batches, ledger)
    places, own_queries = ledger.own(banks=True), ledger.own(banks=False)
    classes, targets = ledger.labels[ledger.banks].unique(return_inverse=True)
    truth = ledger.labels[~ledger.banks][own_queries]
    hits = torch.zeros(len(counts), dtype=torch.int64, device=device)
    for owner, block, sizes in _blocks(ledger, max(counts)):
        asked = _from_owner(queries[block], owner, sizes, device)
        nearest = _at_owner(find_nearest(bank, places, asked, max(counts), device), owner, max(counts))
        if nearest is not None:
            winners = classes[vote(nearest, targets, len(classes), counts, temperature)]  # (counts, M)
            hits += (winners == truth[block]).sum(1).to(device)
    all_reduce(hits)
    return hits.tolist()


def _facts(batch: dict[str, Tensor]) -> Tensor:
    """(N, 4) int64: index, label, whether of the bank, whether finite."""
    finite = batch['features'].isfinite().all(1)
    return torch.stack([batch['indices'].long(), batch['labels'].long(), batch['banks'].long(), finite.long()], 1)


def _take(batches: Batches, ledger: Ledger) -> tuple[Tensor, Tensor]:
    """This process's unit rows of the bank and of the queries, in the order of indices, each sample once.

    A batch goes when it has been read, so that the features are in memory once.
    """
    mine = ledger.owners == get_rank()
    parts, places = [], torch.full((2, sum(len(batch['indices']) for batch in batches)), -1)
    for banks, place in zip((True, False), places, strict=True):
        own = ledger.rows[mine & (ledger.banks == banks)]
        place[own] = torch.arange(len(own))
        parts.append(torch.empty(len(own), ledger.width))
    start = 0
    batches.reverse()
    while batches:
        features = batches.pop()['features']
        for part, target in zip(parts, places[:, start : start + len(features)], strict=True):
            part[target[target >= 0]] = grid_rows(features[target >= 0])
        start += len(features)
    return parts[0], parts[1]


def _blocks(ledger: Ledger, count: int) -> Iterator[tuple[int, slice, tuple[int, int]]]:
    """Owner, slice of its queries and shape of each block of queries: the same on all processes."""
    lists = 4 * BYTES_AT_ONCE // (16 * count * get_world_size())
    rows = max(1, min(rows_at_once(ledger.width), lists))
    numbers = torch.bincount(ledger.owners[~ledger.banks], minlength=get_world_size())
    for owner, number in enumerate(numbers.tolist()):
        for start in range(0, number, rows):
            size = min(rows, number - start)
            yield owner, slice(start, start + size), (size, ledger.width)


def _from_owner(queries: Tensor, owner: int, shape: tuple[int, int], device: torch.device) -> Tensor:
    """The owner's block of queries, on every process."""
    asked = queries.to(device) if get_rank() == owner else torch.empty(shape, device=device)
    broadcast(asked, owner)
    return asked


def _at_owner(nearest: Neighbours, owner: int, count: int) -> Neighbours | None:
    """The nearest in all parts of the bank, on the process that asked; None on the others."""
    if get_world_size() == 1:
        return nearest
    similarity, places = (gather(part, owner) for part in nearest)
    lists = [Neighbours(*pair) for pair in zip(similarity, places, strict=True)]
    return merge_nearest(lists, count) if lists else None
