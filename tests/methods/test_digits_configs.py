"""Every method and mode on the digits, by its own config: a few iterations, stopped, resumed, bit for bit alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from engine.runs import log_of
from methods.stopped import assert_a_stop_changes_nothing
from mmengine.config import Config

from binssl.checkpoints import write_checkpoint
from binssl.datasets import digits
from binssl.engine.config import load_config, plain
from binssl.engine.parts import check_parts
from binssl.engine.runner import FOLLOWERS
from binssl.registry import ALGORITHMS

ROOT = Path(__file__).parents[2]
PATHS = sorted(
    path.relative_to(ROOT).as_posix()
    for kind in ('selfsup', 'supervised')
    for path in (ROOT / 'configs' / kind).rglob('*_digits.py')
    if load_config(path).get('train_dataloader')
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


def write_random(model: dict[str, Any], path: str) -> None:
    """What extraction for a next stage writes: all that the model learns, and the model's config."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        built = ALGORITHMS.build(model)
    state = {name: value for name, value in built.state_dict().items() if name.split('.')[0] not in FOLLOWERS}
    write_checkpoint({'format_version': 1, 'state_dict': state, 'meta': {'model': json.dumps(model)}}, path)


def short(cfg: Config, weights: Weights) -> Config:
    """``cfg`` for two epochs of two steps; the files that it starts from are made up."""
    cfg.train_cfg.max_epochs = EPOCHS
    cfg.train_dataloader.dataset.split = 'few'
    counts = cfg.optim_wrapper.get('accumulative_counts', 1)
    step = cfg.get('global_batch_size') or cfg.train_dataloader.batch_size * counts
    if step > IMAGES_A_STEP:
        cfg.train_dataloader.batch_size = cfg.train_dataloader.batch_size * IMAGES_A_STEP // step
    if cfg.get('global_batch_size'):
        cfg.global_batch_size = min(step, IMAGES_A_STEP)
    teacher = cfg.model.get('teacher') or {}
    if teacher.get('type') == 'FrozenTeacher':
        parts = {name: teacher.get(name) for name in ('backbone', 'neck', 'head')}
        preprocessor = cfg.model.get('data_preprocessor')
        teacher.checkpoint = weights(plain(dict(type='Encoder', data_preprocessor=preprocessor, **parts)))
    for key in ('load_from', 'pretrained'):
        if cfg.get(key):
            cfg[key] = weights(plain(cfg.model))
    return cfg


def of_run(path: str, weights: Weights, folder: Path, work_dir: str, resume: str | None, checkpoint: dict) -> Config:
    """The config at ``path``, cut short, as a run in ``folder``."""
    cfg = short(load_config(ROOT / path), weights)
    cfg.work_dir, cfg.resume = str(folder / work_dir), resume
    cfg.default_hooks.checkpoint = checkpoint
    return cfg


@pytest.mark.parametrize('path', PATHS)
def test_config_trains_and_a_stop_changes_nothing(
        path: str, weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setitem(digits.SPLITS, 'few', (0, STEPS_AN_EPOCH * IMAGES_A_STEP))
    make = partial(of_run, path, weights, tmp_path)
    cfg = make('whole', None, {'type': 'CheckpointHook'})
    assert check_parts(cfg) == []
    batch = cfg.train_dataloader.batch_size
    accumulated = cfg.get('global_batch_size', batch) // batch * cfg.optim_wrapper.get('accumulative_counts', 1)
    whole = assert_a_stop_changes_nothing(make, accumulated)
    assert all(value.isfinite().all() for value in whole.model.state_dict().values())
    trained = sum(weight.requires_grad for weight in whole.model.parameters())
    assert f'gradient audit: all {trained} trainable tensors got a gradient' in log_of(whole)
    if cfg.get('load_from'):
        assert f'{cfg.load_from}: ' in log_of(whole)
