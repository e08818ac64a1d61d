"""A bank in several processes, played by threads: the numbers of one, and features of the bank stay where they are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from evaluation.planted import batches, planted
from torch import Tensor

from binssl.evaluation import EvaluationError, KNNAccuracy, nearest_neighbours, neighbour_search


class Group:
    """The collectives of ``size`` processes, each of them a thread."""

    def __init__(self, size: int) -> None:
        self.size, self.local = size, threading.local()
        self.barrier = threading.Barrier(size, timeout=20)
        self.slots: list[Tensor] = [torch.empty(0)] * size
        self.broadcasts: list[tuple[int, ...]] = []

    def exchange(self, value: Tensor) -> list[Tensor]:
        self.slots[self.local.rank] = value.clone()
        self.barrier.wait()
        values = list(self.slots)
        self.barrier.wait()
        return values

    def get_rank(self) -> int:
        return self.local.rank

    def get_world_size(self) -> int:
        return self.size

    def all_gather(self, value: Tensor) -> list[Tensor]:
        values = self.exchange(value)
        assert len({tensor.shape for tensor in values}) == 1  # as torch's all_gather asks
        return values

    def gather(self, value: Tensor, owner: int) -> list[Tensor]:
        values = self.exchange(value)
        return values if self.local.rank == owner else []

    def broadcast(self, value: Tensor, owner: int) -> None:
        values = self.exchange(value)
        assert len({tensor.shape for tensor in values}) == 1
        value.copy_(values[owner])
        self.broadcasts += [tuple(value.shape)] if self.local.rank == owner else []

    def all_reduce(self, value: Tensor) -> None:
        value.copy_(torch.stack(self.exchange(value)).sum(0))

    def run(self, work: Callable[[int], object]) -> list[object]:
        """What ``work`` gives, or raises, in each process."""

        def process(rank: int) -> object:
            self.local.rank = rank
            try:
                return work(rank)
            except EvaluationError as error:
                return error

        with ThreadPoolExecutor(self.size) as threads:
            return list(threads.map(process, range(self.size)))


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Group]:
    def make(size: int) -> Group:
        made = Group(size)
        for name in ('get_rank', 'get_world_size', 'all_gather', 'gather', 'broadcast', 'all_reduce'):
            monkeypatch.setattr(nearest_neighbours, name, getattr(made, name))
        return made

    return make


def samples(alike: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    features, labels = planted(101, noise=2.5)
    return features.sign() if alike else features, labels, torch.arange(101) % 5 < 3


def score(share: list, counts: list[int]) -> dict[str, float]:
    metric = KNNAccuracy(counts)
    for batch in share:
        metric.process({}, batch)
    return metric.evaluate(101)


@pytest.mark.parametrize('alike', [False, True])
@pytest.mark.parametrize('size', [2, 3, 8])
def test_processes_together_give_the_numbers_of_one(group, alike: bool, size: int) -> None:
    """Single samples dealt out as the sampler does, the first ones twice to fill up."""
    data, counts = batches(*samples(alike), size=1), [1, 7, 60]
    expected = score(data, counts)
    filled = data + data[: -len(data) % size]
    together = group(size)
    assert together.run(lambda rank: score(filled[rank::size], counts)) == [expected] * size


def test_blocks_of_queries_change_nothing(group, monkeypatch) -> None:
    data = batches(*samples(), size=3)
    expected = score(data, [5])
    monkeypatch.setattr(neighbour_search, 'BYTES_AT_ONCE', 8 * 16 * 4)
    monkeypatch.setattr(nearest_neighbours, 'BYTES_AT_ONCE', 8 * 16 * 4)
    together = group(2)
    assert together.run(lambda rank: score(data[rank::2], [5])) == [expected] * 2
    assert max(together.broadcasts) == (4, 16)


def test_only_queries_go_around(group) -> None:
    data = batches(*samples(), size=1)
    together = group(3)
    together.run(lambda rank: score(data[rank::3], [5]))
    assert sum(rows for rows, _ in together.broadcasts) == int((torch.arange(101) % 5 >= 3).sum())


def test_a_process_without_samples_takes_part(group) -> None:
    data = batches(*samples())
    expected = score(data, [5])
    assert group(2).run(lambda rank: score(data if rank else [], [5])) == [expected] * 2


@pytest.mark.parametrize(
    ('entry', 'value', 'message'),
    [
        (0, torch.nan, 'features of 10 of 101 samples are not finite'),
        (1, -1, '10 of 101 samples have no label'),
        (1, 3, 'num_neighbours 90 is more than the 61 bank samples'),
    ],
)
def test_an_error_is_told_by_every_process(group, entry: int, value: float, message: str) -> None:
    """What is wrong is in the second one's share alone."""
    data = samples()
    data[entry][-10:] = value
    shares = batches(*data, size=91)
    for error in group(2).run(lambda rank: score([shares[rank]], [90])):
        assert isinstance(error, EvaluationError)
        assert message in str(error)


def test_no_samples_at_all_are_told_by_every_process(group) -> None:
    for error in group(2).run(lambda rank: score([], [5])):
        assert 'the data set is empty' in str(error)
