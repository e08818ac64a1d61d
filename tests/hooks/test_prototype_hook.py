"""SwAV's first steps in real runs: frozen prototypes, a queue that waits, a resume in between."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from contracts.small import SWAV, changed
from engine.runs import AUGMENT, Watch, classifier, config, everything, run, run_until
from mmengine.config import Config
from torch.nn import functional as F

from binssl.registry import HOOKS, ConfigError

LOCAL = dict(type='DigitsAugment', size=6, scale=(1.35, 2.0), translate=0.25)
QUEUE = changed(SWAV, queue_length=512)


def swav(folder: Path, model: dict = QUEUE, hook: dict | None = None, **more: object) -> Config:
    """Two epochs of four iterations of 256 digits, two large and two small crops each."""
    hook = dict(type='PrototypeHook', frozen_iterations=3, queue_start_epoch=1) if hook is None else hook
    views = [AUGMENT] * 2 + [LOCAL] * 2
    return config(folder, model, train_dataloader__dataset__views=views, custom_hooks=[hook], **more)


def directions(runner) -> torch.Tensor:
    """The prototypes on the sphere: a forward puts them back there, which is no step."""
    return F.normalize(runner.model.head.prototypes.weight.detach())


class Look(Watch):
    """What each iteration did to the prototypes, and whether it used the queue."""

    def __init__(self) -> None:
        super().__init__(self.look)
        self.moved, self.used = [], []

    def before_train(self, runner) -> None:
        self.before = directions(runner)

    def look(self, runner) -> None:
        now = directions(runner)
        self.moved.append((now - self.before).abs().max().item() > 1e-6)
        self.used.append(runner.model.use_queue)
        self.before = now


def look(cfg: Config) -> Look:
    hook = Look()
    run(cfg, hook)
    return hook


def test_prototypes_stay_for_so_many_steps_and_then_move(tmp_path):
    seen = look(swav(tmp_path))
    assert seen.moved == [False] * 3 + [True] * 5
    assert seen.used == [False] * 4 + [True] * 4


def test_frozen_steps_are_the_optimisers_where_batches_accumulate(tmp_path):
    hook = dict(type='PrototypeHook', frozen_iterations=2, queue_start_epoch=0)
    seen = look(swav(tmp_path, hook=hook, optim_wrapper__accumulative_counts=2))
    # a step behind every other batch: the first two are frozen
    assert seen.moved == [False] * 5 + [True, False, True]
    # two batches fill the queue
    assert seen.used == [False] * 2 + [True] * 6


def test_nothing_is_frozen_by_nought_and_nothing_queued_without_a_queue(tmp_path):
    hook = dict(type='PrototypeHook', frozen_iterations=0, queue_start_epoch=0)
    seen = look(swav(tmp_path, changed(SWAV, queue_length=0), hook, epochs=1))
    assert seen.moved == [True] * 4
    assert seen.used == [False] * 4


@pytest.mark.parametrize('pause', [2, 5])
def test_resume_while_frozen_or_with_a_queue_in_use_changes_nothing(pause, tmp_path):
    checkpoint = dict(type='CheckpointHook', interval_iters=1)
    whole = run(swav(tmp_path / 'whole'))
    run_until(swav(tmp_path / 'parts', default_hooks__checkpoint=checkpoint), pause)
    resumed = everything(run(swav(tmp_path / 'parts', resume='auto')))
    assert all(torch.equal(value, resumed[name]) for name, value in everything(whole).items())


def test_a_model_without_prototypes_is_refused(tmp_path):
    cfg = classifier(tmp_path, custom_hooks=[dict(type='PrototypeHook')])
    with pytest.raises(ConfigError, match=r'PrototypeHook needs a SwAV model.*this is a Classifier'):
        run(cfg)


@pytest.mark.parametrize('setting', [dict(frozen_iterations=-1), dict(queue_start_epoch=0.5)])
def test_bad_settings_are_named(setting):
    name, value = next(iter(setting.items()))
    with pytest.raises(ConfigError, match=f'{name} is {value}; it must be '):
        HOOKS.build(dict(type='PrototypeHook', **setting))
