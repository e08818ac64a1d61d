"""Runs that are watched: undisturbed, reported, silent while they are well, told of while they are not."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from contracts.small import BACKBONE, CLASSIFIER, DISTILLATION, changed, write_teacher
from engine.runs import Watch, assert_same, build, burn, classifier, config, everything, log_of, moco, run, run_until
from mmengine.config import Config
from torch import nn

from binssl.binary import BINARY_INPUT, REAL, BinaryConv2d
from binssl.hooks.watch import WarningHook

WATCHING = {
    f'default_hooks__{name}': dict(type=kind, interval=2)
    for name, kind in dict(
        weight_signs='WeightSignHook', activation_signs='ActivationSignHook', feature_spread='FeatureSpreadHook'
    ).items()
}
WITHOUT = {**dict.fromkeys(WATCHING), 'default_hooks__distributions': None}
SIGNS = {'flip_rate', 'saturated_weights', 'positive_bits', 'positive_bits_worst', 'saturated_activations'}
FEATURES = {'feature_spread', 'feature_rank'}
EVERY_STEP = dict(type='CheckpointHook', interval_iters=1)


def distillation(folder: Path, **more: object) -> Config:
    """S2-BNN without negatives: the loss whose distributions are watched."""
    path = folder / 'teacher_with_head.pth'
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        write_teacher(path, head=DISTILLATION['teacher']['head'])
    return config(folder, changed(DISTILLATION, teacher__checkpoint=str(path)), views=1, **more)


class Dice(Watch):
    """What the generator would give after each iteration; draws nothing."""

    def __init__(self) -> None:
        super().__init__(lambda runner: self.states.append(torch.get_rng_state()))
        self.states: list[torch.Tensor] = []


def scalars(runner) -> list[dict]:
    """What the run recorded, one dict a report."""
    (file,) = Path(runner.work_dir).glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in file.read_text().splitlines()]


def warnings(runner) -> list[str]:
    """What the run warned of; mmengine's words on data sets are not ours."""
    return [line for line in log_of(runner).splitlines() if ' - WARNING - ' in line and 'metainfo' not in line]


@pytest.mark.parametrize('make', [classifier, burn, moco, distillation])
def test_watched_run_is_bit_for_bit_the_run_that_is_not(make, tmp_path):
    plain, watched = Dice(), Dice()
    without = everything(run(make(tmp_path, **WITHOUT), plain))
    assert_same(without, everything(run(make(tmp_path, work_dir=str(tmp_path / 'watched'), **WATCHING), watched)))
    assert plain.losses == watched.losses
    assert all(torch.equal(*states) for states in zip(plain.states, watched.states, strict=True))


@pytest.mark.parametrize('counts', [1, 2])
def test_resumed_watched_run_is_the_run_that_was_not_stopped(counts, tmp_path):
    settings = dict(WATCHING, batch=256 // counts, global_batch_size=256)
    whole = run(classifier(tmp_path / 'whole', **settings))
    run_until(
        classifier(tmp_path / 'parts', default_hooks__checkpoint=dict(EVERY_STEP, interval_iters=counts), **settings),
        3 * counts,
    )
    resumed = run(classifier(tmp_path / 'parts', resume='auto', **settings))
    assert_same(everything(whole), everything(resumed))
    assert set(hook_values(resumed)) >= SIGNS | FEATURES


def hook_values(runner) -> dict[str, float]:
    return {name: value for hook in runner.hooks for name, value in getattr(hook, 'values', {}).items()}


def test_numbers_stand_in_the_scalars_of_every_report(tmp_path):
    signs = dict(type='WeightSignHook', interval=2, dead_after=2)
    runner = run(classifier(tmp_path, **{**WATCHING, 'default_hooks__weight_signs': signs}))
    first, *later = scalars(runner)
    assert set(first) >= SIGNS | FEATURES
    assert 'dead_weights' not in first  # one comparison was made
    assert all(set(report) >= SIGNS | FEATURES | {'dead_weights'} for report in later)
    assert all(math.isfinite(value) for report in scalars(runner) for value in report.values())
    last = scalars(runner)[-1]
    assert {name: last[name] for name in hook_values(runner)} == hook_values(runner)


class Signs(Watch):
    """Signs of the binary weights after each iteration, by the layers' own words."""

    def __init__(self) -> None:
        super().__init__(self.look)
        self.rows: list[torch.Tensor] = []

    def before_train(self, runner) -> None:
        self.look(runner)

    def look(self, runner) -> None:
        convs = [part for part in runner.model.modules() if isinstance(part, BinaryConv2d)]
        self.rows.append(torch.cat([conv.weight_binarizer(conv.weight).sign().flatten() for conv in convs]).detach())


def test_flip_rates_of_a_run_are_those_of_its_signs(tmp_path):
    signs = Signs()
    reports = scalars(run(classifier(tmp_path, batch=128, global_batch_size=256, **WATCHING), signs))
    expected = [(signs.rows[at] != signs.rows[at - 2]).double().mean().item() for at in range(2, 17, 2)]
    assert [report['flip_rate'] for report in reports] == pytest.approx(expected)  # two batches make a step
    assert max(expected) > 0


def test_hooks_are_on_by_default_and_look_once_in_fifty_iterations(tmp_path):
    runner = build(classifier(tmp_path))
    looking = {
        type(hook).__name__: getattr(hook, 'interval', None) for hook in runner.hooks if isinstance(hook, WarningHook)
    }
    assert looking == dict(
        WeightSignHook=50, ActivationSignHook=50, FeatureSpreadHook=50, DistributionHook=None, InformationHook=None
    )


@pytest.mark.parametrize(
    ('conv', 'numbers'),
    [(REAL, FEATURES), (BINARY_INPUT, FEATURES | {'positive_bits', 'positive_bits_worst', 'saturated_activations'})],
)
def test_network_of_another_precision_gives_the_numbers_that_it_has(conv, numbers, tmp_path):
    model = changed(CLASSIFIER, backbone=changed(BACKBONE, conv_cfg=conv))
    runner = run(config(tmp_path, model, views=1, epochs=1, **WATCHING))
    assert set(hook_values(runner)) == numbers


def test_compiled_backbone_keeps_its_weights_and_features_watched(tmp_path, monkeypatch):
    monkeypatch.setattr(nn.Module, 'compile', lambda *_, **__: None)  # what it does is no matter here
    runner = run(classifier(tmp_path, epochs=1, compile=True, **WATCHING))
    assert set(hook_values(runner)) == FEATURES | {'flip_rate', 'saturated_weights'}
    assert 'the backbone is compiled, its activations are not watched' in log_of(runner)


# in words


@pytest.mark.parametrize('make', [classifier, burn, moco, distillation])
def test_healthy_run_is_silent(make, tmp_path):
    assert warnings(run(make(tmp_path, epochs=3, **WATCHING))) == []


def sick(folder: Path, act=None, **more: object) -> str:
    """The warnings of a run that began with ``act`` on its model."""
    runner = build(classifier(folder, **{**WATCHING, **more}))
    if act is not None:
        act(runner)
    runner.train()
    return '\n'.join(warnings(runner))


def test_weights_far_from_nought_are_told(tmp_path):
    def move(runner) -> None:
        for part in runner.model.modules():
            if isinstance(part, BinaryConv2d):
                nn.init.constant_(part.weight, 5.0)

    words = sick(tmp_path, move)
    assert '100% of the binary weights lie outside [-1, 1]' in words
    assert words.count('WARNING') == 1


def test_images_that_are_all_the_same_are_told(tmp_path):
    def blank(runner) -> None:
        dataset = runner.train_loop.dataloader.dataset
        dataset.images = np.zeros_like(dataset.images)

    assert 'the features of different images are nearly the same' in sick(tmp_path, blank)


def test_rate_a_thousand_times_too_high_is_told(tmp_path):
    words = sick(tmp_path, optim_wrapper__optimizer__lr=2.0, schedules={}, epochs=4)
    assert 'lie outside [-1, 1]' in words
