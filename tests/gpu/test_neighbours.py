"""k-NN on a GPU finds the CPU's neighbours, bit for bit."""

from __future__ import annotations

import pytest
import torch

from binssl.evaluation import KNNAccuracy, neighbour_search
from binssl.evaluation.neighbour_search import find_nearest, grid_rows

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA GPU')


@pytest.mark.parametrize('alike', [False, True])
def test_neighbours_are_the_cpus(alike: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbour_search, 'BYTES_AT_ONCE', 1 << 20)
    generator = torch.Generator().manual_seed(0)
    width = 6 if alike else 200
    features = [torch.randn(count, width, generator=generator) for count in (3000, 500)]
    bank, queries = (grid_rows(part.sign() if alike else part) for part in features)
    expected = find_nearest(bank, torch.arange(3000), queries, 100)
    found = find_nearest(bank, torch.arange(3000), queries, 100, 'cuda')
    assert torch.equal(found.similarity.cpu(), expected.similarity)
    assert torch.equal(found.places.cpu(), expected.places)


def test_metric_searches_where_the_features_are() -> None:
    generator = torch.Generator().manual_seed(0)
    batch = dict(
        features=torch.randn(300, 16, generator=generator),
        labels=torch.arange(300) % 7,
        banks=torch.arange(300) < 200,
        indices=torch.arange(300),
    )
    results = []
    for device in ('cpu', 'cuda'):
        metric = KNNAccuracy([5, 50])
        metric.process({}, [{key: value.to(device) for key, value in batch.items()}])
        assert metric.device.type == device
        results.append(metric.evaluate(300))
    assert results[0] == results[1]
