"""The keys that a batch brings along, and views that are finished with them, whoever loaded the samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from binssl.core.randomness import hash_counters
from binssl.datasets import BankAndQuery, Digits, EpochSampler, InMemoryImages, whole_batch
from binssl.views import BatchPart

VIEWS = [
    [dict(type='PhotoJitter', brightness=0.5, contrast=0.5, saturation=0.5, hue=0.2), dict(type='PhotoBlur')],
    [dict(type='PhotoFlip')],
]


def small_photos() -> InMemoryImages:
    images = torch.randint(0, 256, (30, 3, 12, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return InMemoryImages(images, torch.arange(30), views=[[dict(type='BatchCrop', size=8, padding=2)]] * 2, seed=4)


def digits() -> Digits:
    return Digits('held_out', views=[dict(type='DigitsAugment', degrees=20)] * 2, seed=4)


@pytest.mark.parametrize('make', [small_photos, digits])
def test_a_sample_brings_the_key_of_each_view(make):
    dataset = make()
    asked = [(3, 0), (5, 7), (3, 1)]
    batch = dataset.__getitems__(asked)
    expected = [[int(hash_counters(4, epoch, index, view)[0]) for view in range(2)] for index, epoch in asked]
    assert batch['keys'].numpy().view(np.uint64).tolist() == expected
    for pair, row in zip(asked, batch['keys'], strict=True):
        assert torch.equal(dataset[pair]['keys'], row)


def test_bank_and_query_bring_them_too():
    plain = dict(type='Digits', views=[dict(type='DigitsAugment')])
    both = BankAndQuery(dict(plain, split='fit'), dict(plain, split='held_out'))
    for pairs in ([(0, 0), (1, 0)], [(1148, 0), (1149, 0)]):  # of the bank alone, and mixed
        assert both.__getitems__(pairs)['keys'].shape == (2, 1)


def finished(dataset: Dataset, batch_size: int, start: int = 0) -> dict[int, list[Tensor]]:
    """The views of the samples of epoch 2 from ``start`` on, by their indices."""
    sampler = EpochSampler(dataset, seed=1)
    sampler.set_epoch(2)
    sampler.start_at(start)
    part, views = BatchPart(VIEWS), {}
    for batch in DataLoader(dataset, batch_size, sampler=sampler, collate_fn=whole_batch):
        ready = part(batch['images'], batch['keys'])
        views.update((int(index), [view[place] for view in ready]) for place, index in enumerate(batch['indices']))
    return views


@pytest.mark.parametrize('make', [small_photos, digits])
def test_a_finished_view_depends_on_seed_epoch_and_index_alone(make):
    dataset = make()
    expected = finished(dataset, batch_size=16)
    assert len(expected) == len(dataset)
    for batch_size, start in ((5, 0), (1, len(dataset) - 3), (16, 8)):
        again = finished(dataset, batch_size, start)
        assert len(again) == len(dataset) - start
        for index, views in again.items():
            assert all(map(torch.equal, views, expected[index]))
