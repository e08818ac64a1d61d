"""The three ways to a batch of photos, and the two of digits: each trains, resumes bit for bit, and needs no order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from contracts.small import MOCO, changed
from engine.runs import assert_same, config, everything, run
from imagenet_folder import make_imagenet_folder
from methods.stopped import assert_a_stop_changes_nothing
from mmengine.config import Config

from binssl.datasets import EpochSampler, whole_batch
from binssl.registry import DATASETS

JITTER = dict(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, p=0.8)
REST = [dict(type='PhotoJitter', **JITTER), dict(type='PhotoGrayscale', p=0.2), dict(type='PhotoBlur', p=0.5)]
#: a view in the workers, and what is left for the device
PATHS: dict[str, tuple[list[dict], list[dict] | None]] = {
    'reference': ([dict(type='torchvision/RandomResizedCrop', size=16), dict(type='GaussianBlur', p=0.5)], None),
    'cpu': ([dict(type='PhotoCrop', size=16), dict(type='PhotoJitter', **JITTER), dict(type='PhotoBlur', p=0.5)], None),
    'batch': ([dict(type='PhotoCrop', size=16), dict(type='PhotoFlip')], REST),
}


@pytest.fixture(scope='module')
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_imagenet_folder(tmp_path_factory.mktemp('photos'))


def moco(folder: Path, photos: Path | None, path: str, **more: Any) -> Config:
    """MoCo for two epochs of three batches, on the photos or, where there are none, on the digits."""
    view, rest = PATHS[path]
    batch = 16 if photos else 384
    model = changed(MOCO, queue_length=2 * batch)
    if rest is not None:
        model = changed(model, data_preprocessor__views=[rest] * 2)
    data: dict[str, Any] = {}
    if photos is not None:
        data = dict(train_dataloader__dataset=dict(type='ImageNet', root=str(photos), views=[view] * 2))
    return config(folder, model, batch=batch, schedules=None, **data, **more)


@pytest.mark.parametrize('path', PATHS)
def test_photos_train_and_a_stop_changes_nothing(path: str, photos: Path, tmp_path: Path) -> None:

    def make(work_dir: str, resume: str | None, checkpoint: dict) -> Config:
        return moco(tmp_path / work_dir, photos, path, resume=resume, default_hooks__checkpoint=checkpoint)

    assert_a_stop_changes_nothing(make)


@pytest.mark.parametrize('path', ['cpu', 'batch'])
def test_digits_train_with_and_without_a_part_on_the_device(path: str, tmp_path: Path) -> None:

    def make(work_dir: str, resume: str | None, checkpoint: dict) -> Config:
        return moco(tmp_path / work_dir, None, path, resume=resume, default_hooks__checkpoint=checkpoint)

    assert_a_stop_changes_nothing(make)


@pytest.mark.process
def test_workers_change_nothing(photos: Path, tmp_path: Path) -> None:
    for path in PATHS:
        alone = run(moco(tmp_path / f'{path}0', photos, path, epochs=1))
        helped = run(moco(tmp_path / f'{path}2', photos, path, epochs=1, train_dataloader__num_workers=2))
        assert_same(everything(alone), everything(helped))


@pytest.mark.parametrize('path', PATHS)
def test_two_processes_see_what_one_sees(path: str, photos: Path) -> None:
    dataset = DATASETS.build(dict(type='ImageNet', root=str(photos), views=[PATHS[path][0]] * 2, seed=3))

    def samples(rank: int, world_size: int) -> dict[int, dict[str, Any]]:
        sampler = EpochSampler(dataset, seed=3)
        sampler.rank, sampler.world_size = rank, world_size
        sampler.set_epoch(2)
        batch = whole_batch(
            [dataset[key] for key in sampler]
            if not hasattr(dataset, '__getitems__')
            else dataset.__getitems__(list(sampler))
        )
        return {
            int(index): dict(views=[view[at] for view in batch['images']], keys=batch['keys'][at])
            for at, index in enumerate(batch['indices'])
        }

    one, two = samples(0, 1), {**samples(0, 2), **samples(1, 2)}
    assert one.keys() == two.keys()
    for index, sample in one.items():
        assert torch.equal(sample['keys'], two[index]['keys'])
        assert all(torch.equal(view, other) for view, other in zip(sample['views'], two[index]['views'], strict=True))
