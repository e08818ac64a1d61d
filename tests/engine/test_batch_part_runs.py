"""Runs whose views are finished on the device: resumed as if nothing had been, and checked before they begin."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from engine.runs import VALIDATION, Watch, assert_same, build, everything, moco, run, run_until
from mmengine.config import Config

from binssl.checkpoints import read_trained
from binssl.registry import ConfigError

VIEW = [dict(type='PhotoJitter', brightness=0.4, contrast=0.4), dict(type='PhotoBlur', sigma=(0.1, 1.0))]
NORMALIZER = dict(type='ImageNormalizer', mean=[127.5] * 3, std=[127.5] * 3)


def finished(folder: Path, views: list | None, **more) -> Config:
    preprocessor = dict(NORMALIZER, views=views)
    return moco(folder.parent, work_dir=str(folder), model__data_preprocessor=preprocessor, **more)


def losses(folder: Path, views: list | None) -> list[float]:
    watch = Watch()
    run(finished(folder, views, epochs=1, randomness=dict(seed=0)), watch)
    return watch.losses


def test_a_run_resumed_in_the_middle_of_an_epoch_sees_the_same_views(tmp_path):
    settings = dict(epochs=1, batch=128, default_hooks__checkpoint=dict(type='CheckpointHook', interval_iters=2))
    whole = run(finished(tmp_path / 'whole', [VIEW, VIEW], **settings))
    run_until(finished(tmp_path / 'parts', [VIEW, VIEW], resume='auto', **settings), 3)
    resumed = run(finished(tmp_path / 'parts', [VIEW, VIEW], resume='auto', **settings))
    assert_same(everything(whole), everything(resumed))


def test_what_is_finished_on_the_device_is_what_is_trained_on(tmp_path):
    plain, finished_views = (losses(tmp_path / name, views) for name, views in (('plain', None), ('own', [VIEW, None])))
    assert plain == losses(tmp_path / 'nothing', [None, None])
    assert plain[0] != finished_views[0]


def test_validation_sees_plain_views(tmp_path):
    runner = build(finished(tmp_path / 'run', [VIEW, VIEW], epochs=1, **VALIDATION))
    batch = next(iter(runner.val_dataloader))
    shown = runner.model.data_preprocessor(batch, False)
    assert torch.equal(shown['images'][0], (batch['images'][0] - 127.5) / 127.5)
    assert 'keys' not in shown


@pytest.mark.parametrize('views', [[VIEW], [VIEW, None, None]])
def test_a_view_without_an_entry_is_refused_before_training(views, tmp_path):
    runner = build(finished(tmp_path / 'run', views))
    with pytest.raises(ConfigError, match=rf'views has {len(views)} entries, the training data give 2 view'):
        runner.train()


def test_the_views_stay_with_the_run_and_not_with_the_network(tmp_path):
    runner = run(finished(tmp_path / 'run', [VIEW, VIEW], epochs=1))
    (checkpoint,) = Path(runner.work_dir).glob('epoch*.pth')
    assert read_trained(checkpoint).model['data_preprocessor'] == NORMALIZER
