"""k-nearest-neighbour classification of frozen features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from binssl.evaluation.gather import EvaluationError, SampleMetric, check_samples
from binssl.evaluation.neighbour_search import find_nearest, unit_rows, vote
from binssl.evaluation.shared_bank import count_hits, gather_ledger
from binssl.registry import METRICS, ConfigError


def knn_accuracy(
    bank: Tensor,
    bank_labels: Tensor,
    queries: Tensor,
    query_labels: Tensor,
    num_neighbours: int = 20,
    temperature: float = 0.07,
) -> float:
    """Share of queries whose class a weighted vote of their neighbours finds (Wu et al., arXiv:1805.01978).

    The ``num_neighbours`` bank samples of highest cosine similarity s vote for their class with weight
    exp(s / temperature). Of equally similar samples those that stand first in the bank are taken.

    Args:
        bank: (N, D) features with known labels.
        bank_labels: (N,) class numbers.
        queries: (M, D) features to classify.
        query_labels: (M,) their true classes.
        num_neighbours: how many vote.
        temperature: small values let only the nearest count.

    Raises:
        EvaluationError: the bank has fewer than ``num_neighbours`` samples.
    """
    return knn_accuracies(bank, bank_labels, queries, query_labels, [num_neighbours], temperature)[0]


def knn_accuracies(
    bank: Tensor,
    bank_labels: Tensor,
    queries: Tensor,
    query_labels: Tensor,
    num_neighbours: Sequence[int],
    temperature: float = 0.07,
) -> list[float]:
    """:func:`knn_accuracy` for each of ``num_neighbours``, by one search."""
    check_neighbours(num_neighbours, len(bank))
    classes, targets = bank_labels.cpu().unique(return_inverse=True)
    nearest = find_nearest(
        unit_rows(bank), torch.arange(len(bank)), unit_rows(queries), max(num_neighbours), bank.device
    )
    winners = classes[vote(nearest, targets, len(classes), num_neighbours, temperature)]
    return (winners == query_labels.cpu()).double().mean(1).tolist()


def check_neighbours(num_neighbours: Sequence[int], samples: int) -> None:
    """Whether a bank of so many ``samples`` has enough of them to vote.

    Raises:
        EvaluationError: it has not.
    """
    if max(num_neighbours) > samples:
        raise EvaluationError(
            f'num_neighbours {max(num_neighbours)} is more than the {samples} bank samples; '
            'lower it or enlarge the bank'
        )


@METRICS.register_module()
class KNNAccuracy(SampleMetric):
    """Weighted k-NN accuracy in percent; see :func:`knn_accuracy`. The same number with any number of processes.

    It is ``knn_top1`` for one number of neighbours, ``knn_top1_10``, ``knn_top1_20``, ... for several, all from one
    search. The search runs where the model did, exactly, in chunks of bank and queries; each process keeps the
    features that it has extracted, as float32 in its memory, and no other has them: see
    ``binssl.evaluation.shared_bank``. For 1,281,167 x 1024 features that is 5.2 GB over all processes.

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
        if not isinstance(temperature, (int, float)) or not temperature > 0:
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
