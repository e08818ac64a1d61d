"""Exact nearest neighbours by cosine similarity, in bounded memory, and what they vote for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from binssl.evaluation.gather import EvaluationError

BYTES_AT_ONCE = 1 << 27  # 128 MiB: of similarities, and of a chunk of the bank, in float64
ROWS_AT_ONCE = 1 << 14
_GRID = 2.0**26
_NOBODY = torch.iinfo(torch.int64).max


class Neighbours(NamedTuple):
    """Each query's neighbours, the nearest first, equally near ones in the order of their places.

    Args:
        similarity: (M, k) float64; -inf where there are fewer than k.
        places: (M, k) int64, where in the bank.
    """

    similarity: Tensor
    places: Tensor


def grid_rows(features: Tensor) -> Tensor:
    """Rows of length one, in float32, whose inner products float64 computes without any rounding.

    Each number is brought to the nearest multiple of 2^-26 (the precision of float32 for numbers between 1/8 and 1/4).
    Products are then multiples of 2^-52, sums of them stay below 2 by Cauchy and Schwarz, and so each intermediate
    sum fits the 53 bits of a float64, in whatever order a device adds: the same pair has the same similarity, bit for
    bit, in any chunk, any process, on any device. A row of zeros stays one.

    Shape: (N, D) -> (N, D).
    """
    out = torch.empty(features.shape, dtype=torch.float32)
    rows = rows_at_once(features.shape[1])
    for start in range(0, len(features), rows):
        unit = F.normalize(features[start : start + rows].double())
        out[start : start + rows] = unit.mul_(_GRID).round_().div_(_GRID)
    return out


def rows_at_once(width: int) -> int:
    """How many rows of ``width`` float64 are in hand at one time."""
    return max(1, min(ROWS_AT_ONCE, BYTES_AT_ONCE // (8 * max(1, width))))


def find_nearest(
    bank: Tensor, places: Tensor, queries: Tensor, count: int, device: torch.device | str = 'cpu'
) -> Neighbours:
    """The ``count`` most similar bank rows of each query.

    Every chunk of the bank meets every chunk of the queries once; what is kept between is a running list of the
    nearest. Beside its arguments and the answer (16 M count bytes) it needs about six times ``BYTES_AT_ONCE``,
    whatever N and M are: a chunk of the bank in float64, one of similarities, and what a sort of those takes where
    neighbours are equally near.

    Args:
        bank: (N, D) of :func:`grid_rows`; N may be 0.
        places: (N,) int64, rising: what the rows are called.
        queries: (M, D) of :func:`grid_rows`.
        count: k.
        device: where to compute; the chunks are moved there one by one.

    Returns:
        On ``device``.
    """
    similarity = torch.full((len(queries), count), -torch.inf, dtype=torch.float64, device=device)
    found = torch.full((len(queries), count), _NOBODY, device=device)
    columns = rows_at_once(queries.shape[1])
    rows = max(1, BYTES_AT_ONCE // (8 * columns))
    for start in range(0, len(bank), columns):
        chunk = bank[start : start + columns].to(device, torch.float64)
        names = places[start : start + columns].to(device)
        for first in range(0, len(queries), rows):
            own = slice(first, first + rows)
            near, nearest = _top(queries[own].to(device, torch.float64) @ chunk.T, count)  # (M, D) x (D, N) -> (M, N)
            lists = [Neighbours(similarity[own], found[own]), Neighbours(near, names[nearest])]
            similarity[own], found[own] = _merge_rising(lists, count)
    return Neighbours(similarity, found)


def merge_nearest(lists: Sequence[Neighbours], count: int) -> Neighbours:
    """The ``count`` nearest of the neighbours that several parts of a bank have given for the same queries."""
    similarity, places = (torch.cat(parts, 1) for parts in zip(*lists, strict=True))
    places, order = places.sort(dim=1)
    return _merge_rising([Neighbours(similarity.gather(1, order), places)], count)


def vote(
    neighbours: Neighbours, targets: Tensor, num_classes: int, counts: Sequence[int], temperature: float
) -> Tensor:
    """The class that the nearest ``count`` neighbours vote for, for each of ``counts`` (Wu et al., arXiv:1805.01978).

    A neighbour of similarity s has exp(s / temperature) votes. Of classes with equally many votes the first wins.

    Args:
        neighbours: (M, k), k at least the largest count.
        targets: (N,) the class, in 0..num_classes-1, of every place in the bank.
        num_classes: C.
        counts: how many vote.
        temperature: small values let only the nearest count.

    Returns:
        (len(counts), M) classes; computed on the CPU, where the order of a sum does not change.
    """
    similarity, places = (part.cpu() for part in neighbours)
    # relative to the nearest: a common factor that keeps exp from overflowing
    weights, classes = ((similarity - similarity[:, :1]) / temperature).exp(), targets[places]
    winners = torch.empty(len(counts), len(places), dtype=torch.int64)
    rows = max(1, BYTES_AT_ONCE // (8 * num_classes))
    for first in range(0, len(places), rows):
        own, counted = slice(first, first + rows), 0
        votes = torch.zeros(len(places[own]), num_classes, dtype=torch.float64)
        for row, count in sorted(enumerate(counts), key=lambda item: item[1]):
            more = slice(counted, count)
            votes.scatter_add_(1, classes[own, more], weights[own, more])
            winners[row, own], counted = votes.argmax(1), count
    return winners


def check_neighbours(num_neighbours: Sequence[int], samples: int) -> None:
    """Raises an EvaluationError where a bank has fewer ``samples`` than are to vote."""
    if max(num_neighbours) > samples:
        raise EvaluationError(
            f'num_neighbours {max(num_neighbours)} is more than the {samples} bank samples; '
            'lower it or enlarge the bank'
        )


def _top(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The highest ``count`` of each row and their columns, the first of equal ones first; all if there are fewer."""
    if scores.shape[1] <= count:
        return _sorted(scores)
    values, columns = scores.topk(count + 1)
    tied = (values[:, 1:] == values[:, :-1]).any(1).nonzero()[:, 0]  # topk leaves open which of equal ones come
    if len(tied):
        values[tied], columns[tied] = (part[:, : count + 1] for part in _sorted(scores[tied]))
    return values[:, :count], columns[:, :count]


def _sorted(scores: Tensor) -> tuple[Tensor, Tensor]:
    values, columns = scores.sort(dim=1, descending=True, stable=True)
    return values, columns


def _merge_rising(lists: Sequence[Neighbours], count: int) -> Neighbours:
    """The nearest of lists that stand so that of equally near neighbours the one at the lower place comes first."""
    similarity, places = (torch.cat(parts, 1) for parts in zip(*lists, strict=True))
    similarity, order = _sorted(similarity)
    return Neighbours(similarity[:, :count], places.gather(1, order[:, :count]))
