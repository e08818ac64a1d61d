"""Every method and mode on the digits, by its own config: a few iterations, stopped, resumed, bit for bit alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from engine.runs import log_of
from methods.random_weights import write_random
from methods.stopped import assert_a_stop_changes_nothing
from mmengine.config import Config

from binssl.datasets import digits
from binssl.engine.config import load_config
from binssl.engine.experiment import plain
from binssl.engine.preflight_parts import check_parts

ROOT = Path(__file__).parents[2]
PATHS = sorted(
    path.relative_to(ROOT).as_posix()
    for kind in ('selfsup', 'supervised')
    for path in (ROOT / 'configs' / kind).rglob('*_digits.py')
)
IMAGES_A_STEP, STEPS_AN_EPOCH, EPOCHS = 32, 2, 2

Weights = Callable[[dict[str, Any]], str]


@pytest.fixture(scope='module')
def weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """Makes a weights file of ours with random numbers for an algorithm's config, once for all tests."""
    folder, made = tmp_path_factory.mktemp('weights'), dict[str, str]()

    def path_of(model: dict[str, Any]) -> str:
        key = json.dumps(model, sort_keys=True)
        if key not in made:
            made[key] = str(folder / f'{len(made)}.pth')
            write_random(model, made[key])
        return made[key]

    return path_of


def short(path: str, weights: Weights) -> Config:
    """The config at ``path`` for two epochs of two steps; the files that it starts from are made up."""
    cfg = load_config(ROOT / path)
    assert check_parts(cfg) == []
    cfg.train_cfg.max_epochs = EPOCHS
    for schedule in cfg.schedules.values():
        if schedule and schedule.get('begin_epoch'):
            schedule.begin_epoch = 1
    cfg.train_dataloader.dataset.split = 'few'
    step = cfg.train_dataloader.batch_size * accumulated(cfg)
    if step > IMAGES_A_STEP:
        cfg.train_dataloader.batch_size = cfg.train_dataloader.batch_size * IMAGES_A_STEP // step
        if cfg.get('global_batch_size'):
            cfg.global_batch_size = IMAGES_A_STEP
    teacher = cfg.model.get('teacher') or {}
    if teacher.get('type') == 'FrozenTeacher':
        parts = {name: teacher.get(name) for name in ('backbone', 'neck', 'head')}
        preprocessor = cfg.model.get('data_preprocessor')
        teacher.checkpoint = weights(plain(dict(type='Encoder', data_preprocessor=preprocessor, **parts)))
    for key in ('load_from', 'pretrained'):
        if cfg.get(key):
            cfg[key] = weights(plain(cfg.model))
    return cfg


def accumulated(cfg: Config) -> int:
    """Batches in a step of one process."""
    batch = cfg.train_dataloader.batch_size
    return (cfg.get('global_batch_size') or batch) // batch * cfg.optim_wrapper.get('accumulative_counts', 1)


@pytest.mark.parametrize('path', PATHS)
def test_config_trains_and_a_stop_changes_nothing(
    path: str, weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(digits.SPLITS, 'few', (0, STEPS_AN_EPOCH * IMAGES_A_STEP))
    cfg = short(path, weights)

    def make(work_dir: str, resume: str | None, checkpoint: dict) -> Config:
        run = deepcopy(cfg)
        run.work_dir, run.resume, run.default_hooks.checkpoint = str(tmp_path / work_dir), resume, checkpoint
        return run

    whole = assert_a_stop_changes_nothing(make, accumulated(cfg))
    assert all(value.isfinite().all() for value in whole.model.state_dict().values())
    trained = sum(weight.requires_grad for weight in whole.model.parameters())
    assert f'gradient audit: all {trained} trainable tensors got a gradient' in log_of(whole)
    if cfg.get('load_from'):
        assert f'{cfg.load_from}: ' in log_of(whole)
