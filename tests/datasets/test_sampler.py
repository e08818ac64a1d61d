"""The order of samples: over epochs, processes and resumes."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from binssl.datasets import sampler as sampler_module
from binssl.datasets.sampler import EpochSampler
from binssl.registry import DATA_SAMPLERS, ConfigError

CONFIGS = Path(__file__).parents[2] / 'configs/_base_/datasets'


def make(length: int, rank: int = 0, world_size: int = 1, epoch: int = 0, **options: object) -> EpochSampler:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampler_module, 'get_dist_info', lambda: (rank, world_size))
        sampler = EpochSampler(range(length), **options)
    sampler.set_epoch(epoch)
    return sampler


def test_an_epoch_holds_every_sample_once_with_its_epoch():
    pairs = list(make(101, epoch=3))
    assert sorted(index for index, _ in pairs) == list(range(101))
    assert {epoch for _, epoch in pairs} == {3}
    assert all(type(index) is int for index, _ in pairs)


def test_the_order_follows_seed_and_epoch_alone():
    assert list(make(50, epoch=1, seed=2)) == list(make(50, epoch=1, seed=2))
    assert [i for i, _ in make(50, epoch=1)] != [i for i, _ in make(50, epoch=2)]
    assert list(make(50, seed=1)) != list(make(50, seed=2))
    assert list(make(50, seed=None)) == list(make(50, seed=0))


def test_evaluation_keeps_the_order_of_the_data_set():
    assert [index for index, _ in make(7, shuffle=False, epoch=5)] == list(range(7))


@pytest.mark.parametrize('length', [48, 45, 1])
def test_processes_share_the_padded_order_without_overlap(length):
    parts = [list(make(length, rank, 4)) for rank in range(4)]
    assert {len(part) for part in parts} == {-(-length // 4)} == {len(make(length, 0, 4))}
    seen = sorted(index for part in parts for index, _ in part)
    assert set(seen) == set(range(length))
    assert len(seen) - length < 4


def test_micro_batches_of_two_processes_are_those_of_one_with_twice_the_batch():
    batch = 4
    one = [index for index, _ in make(64, epoch=2, seed=9)]
    two = [[index for index, _ in make(64, rank, 2, epoch=2, seed=9)] for rank in range(2)]
    for k in range(64 // (2 * batch)):
        union = {index for part in two for index in part[k * batch : (k + 1) * batch]}
        assert union == set(one[k * 2 * batch : (k + 1) * 2 * batch])


def test_a_start_in_the_middle_is_the_rest_of_the_epoch_and_holds_once():
    sampler = make(30, rank=1, world_size=2, epoch=4)
    whole = list(sampler)
    sampler.start_at(9)
    assert len(sampler) == 15
    assert list(sampler) == whole[9:]
    assert list(sampler) == whole
    sampler.start_at(15)
    assert list(sampler) == []


def test_a_start_beyond_the_epoch_is_refused():
    with pytest.raises(ValueError, match=r'15 samples .* cannot start at 16'):
        make(30, world_size=2).start_at(16)


def test_a_data_set_without_samples_is_refused():
    with pytest.raises(ConfigError, match='without samples'):
        make(0)


def test_the_registry_builds_it_as_the_runner_does():
    sampler = DATA_SAMPLERS.build(dict(type='EpochSampler'), default_args=dict(dataset=range(5), seed=None))
    assert len(sampler) == 5
    with pytest.raises(ConfigError, match=r'shuffel.*shuffle'):
        DATA_SAMPLERS.build(dict(type='EpochSampler', shuffel=1), default_args=dict(dataset=range(5), seed=1))


@pytest.mark.parametrize('num_workers', [0, 2])
def test_a_loader_resumed_in_the_middle_gives_the_batches_it_would_have_given(num_workers):
    config = Config.fromfile(CONFIGS / 'digits_two_views.py').train_dataloader
    config.update(batch_size=100, num_workers=num_workers, persistent_workers=num_workers > 0)
    loader = Runner.build_dataloader(config, seed=5)
    loader.sampler.set_epoch(2)
    whole = list(loader)
    loader.sampler.set_epoch(2)
    loader.sampler.start_at(1100)
    rest = list(loader)
    assert len(rest) == 3
    for again, before in zip(rest, whole[11:], strict=True):
        assert torch.equal(again['indices'], before['indices'])
        for view in range(2):
            assert torch.equal(again['images'][view], before['images'][view])
