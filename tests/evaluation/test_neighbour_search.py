"""The search against a plain sort: chunks, parts of a bank and equally near samples change nothing."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from peak_memory import peak_bytes
from torch import Tensor

from binssl.evaluation import neighbour_search
from binssl.evaluation.neighbour_search import Neighbours, find_nearest, grid_rows, merge_nearest, vote


def rows(count: int, width: int = 24, seed: int = 0) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def alike(count: int, seed: int = 0) -> Tensor:
    """Rows of which many are the same: 27 kinds, of signs and zeros."""
    return torch.randint(-1, 2, (count, 3), generator=torch.Generator().manual_seed(seed)).float()


def sorted_plainly(bank: Tensor, queries: Tensor, count: int) -> list[list[int]]:
    """Places by falling similarity, then by rising place, as Python sorts pairs; integers, so without rounding."""
    bank, queries = ((grid_rows(part).double() * 2**26).long() for part in (bank, queries))
    similarity = (queries[:, None] * bank[None]).sum(2).tolist()
    return [sorted(range(len(bank)), key=lambda place, row=row: (-row[place], place))[:count] for row in similarity]


def test_products_of_unit_rows_are_computed_without_rounding() -> None:
    unit = grid_rows(rows(20, 1000))
    exact = [
        [sum(a * b for a, b in zip(one, other, strict=True)) for other in integers]
        for integers in [(unit.double() * 2**26).long().tolist()]
        for one in integers
    ]
    order = torch.randperm(1000, generator=torch.Generator().manual_seed(1))
    for part in (unit, unit[:, order]):
        assert ((part.double() @ part.double().T) * 2**52).long().tolist() == exact


def test_grid_rows_have_length_one_to_the_precision_of_float32() -> None:
    features = rows(50, 300) * 1000
    features[7] = 0
    unit = grid_rows(features)
    assert unit.dtype == torch.float32
    torch.testing.assert_close(unit.double(), F.normalize(features.double()), atol=2**-27 + 2**-25, rtol=0)
    assert not unit[7].any()
    assert torch.equal(unit, grid_rows(features.double()))


@pytest.mark.parametrize('make', [rows, alike])
@pytest.mark.parametrize('bytes_at_once', [1 << 27, 8 * 24 * 40, 8 * 3])
@pytest.mark.parametrize('count', [1, 7, 60])
def test_neighbours_are_those_of_a_plain_sort(make, bytes_at_once, count, monkeypatch) -> None:
    bank, queries = make(90, seed=1), make(20, seed=2)
    expected = sorted_plainly(bank, queries, count)
    monkeypatch.setattr(neighbour_search, 'BYTES_AT_ONCE', bytes_at_once)
    found = find_nearest(grid_rows(bank), torch.arange(90), grid_rows(queries), count)
    assert found.places.tolist() == expected


@pytest.mark.parametrize('make', [rows, alike])
def test_parts_of_a_bank_together_give_the_neighbours_of_the_whole(make) -> None:
    bank, queries = grid_rows(make(90, seed=1)), grid_rows(make(20, seed=2))
    whole = find_nearest(bank, torch.arange(90), queries, 30)
    owners = torch.randint(0, 3, (90,), generator=torch.Generator().manual_seed(3))
    owners[owners == 2] = 3  # and a part that is empty
    lists = [find_nearest(bank[owners == part], (owners == part).nonzero()[:, 0], queries, 30) for part in range(4)]
    for order in ([0, 1, 2, 3], [3, 0, 2, 1]):
        merged = merge_nearest([lists[part] for part in order], 30)
        assert torch.equal(merged.similarity, whole.similarity)
        assert torch.equal(merged.places, whole.places)


def test_a_small_part_gives_all_it_has() -> None:
    found = find_nearest(grid_rows(rows(3)), torch.tensor([4, 6, 9]), grid_rows(rows(2, seed=1)), 5)
    assert sorted(found.places[0, :3].tolist()) == [4, 6, 9]
    assert found.similarity[:, 3:].tolist() == [[-torch.inf] * 2] * 2


@pytest.mark.parametrize('make', [rows, alike])
def test_memory_does_not_grow_with_the_bank(make, monkeypatch) -> None:
    monkeypatch.setattr(neighbour_search, 'BYTES_AT_ONCE', 1 << 20)
    queries = grid_rows(make(300, seed=2))
    for count in (10_000, 40_000):  # similarities to all: 24 and 96 MB
        bank, places = grid_rows(make(count, seed=1)), torch.arange(count)
        peak = peak_bytes(lambda bank=bank, places=places: find_nearest(bank, places, queries, 20))
        assert 1 << 20 < peak < 6 * (1 << 20) + 16 * 300 * 20


def test_votes_are_counted_and_of_equal_classes_the_first_wins() -> None:
    near = Neighbours(torch.tensor([[0.9, 0.9, 0.8, 0.8, 0.1]] * 2).double(), torch.tensor([[0, 1, 2, 3, 4]] * 2))
    targets = torch.tensor([2, 1, 2, 2, 0])
    # 1: class 2 alone; 2: classes 1 and 2 alike; 3 and more: class 2, whatever the order that is asked in
    for counts, expected in ([(1, 2, 3, 5), [2, 1, 2, 2]], [(5, 1, 2), [2, 2, 1]]):
        assert vote(near, targets, 3, counts, 0.07).tolist() == [[winner] * 2 for winner in expected]


def test_votes_in_chunks_are_the_same(monkeypatch) -> None:
    near = find_nearest(grid_rows(rows(80)), torch.arange(80), grid_rows(rows(33, seed=1)), 30)
    targets = torch.arange(80) % 7
    whole = vote(near, targets, 7, (3, 30), 0.1)
    monkeypatch.setattr(neighbour_search, 'BYTES_AT_ONCE', 8 * 7 * 4)
    assert torch.equal(vote(near, targets, 7, (3, 30), 0.1), whole)
