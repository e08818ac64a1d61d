"""Every scheduled value against the published codes' own numbers."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from binssl.hooks import AnnealHook, Schedule
from binssl.registry import ConfigError

REFERENCE = json.loads((Path(__file__).parents[1] / 'reference/losses_and_schedules.json').read_text())
RECU_RATE = Schedule('lr', end=0.0, by='epoch', begin_epoch=4, warmup_epochs=4, warmup_ratio=0.2, warmup_by='epoch')
BASES = dict(recu_lr=0.1, bireal_lr=1e-3, reactnet_lr=1.25e-3)


def points(start: str) -> list[tuple[int, float]]:
    (name,) = [name for name in REFERENCE if name.startswith(start)]
    return [(int(at), value) for at, value in REFERENCE[name].items()]


@pytest.mark.parametrize(
    ('name', 'schedule', 'by_epoch', 'epoch_length', 'max_epochs'),
    [
        ('burn_lambda', Schedule('x', 0.1, 0.3), False, 10, 100),
        ('byol_momentum', Schedule('x', 0.99, 1.0), False, 10, 100),
        ('recu_tau', Schedule('x', 0.85, 0.99, 'exponential', 'epoch'), True, 7, 600),
        ('s2bnn_lr', Schedule('lr', end=0.0, curve='linear', by='epoch'), True, 7, 200),
        ('recu_lr', RECU_RATE, True, 7, 600),
        ('bireal_lr', Schedule('lr', end=0.0, curve='linear', by='epoch', epochs_ahead=1), True, 7, 256),
        ('reactnet_lr', Schedule('lr', end=0.0, curve='linear', by='epoch', epochs_ahead=1), True, 7, 128),
        ('burn_lr', Schedule('lr', end=0.0, by='epoch', warmup_epochs=10, warmup_ratio=1e-4), False, 500, 200),
    ],
)
def test_schedule_is_the_published_one(name, schedule, by_epoch, epoch_length, max_epochs):
    for at, expected in points(name):
        iteration = at * epoch_length + epoch_length // 2 if by_epoch else at
        got = schedule.value(BASES.get(name, 3e-4), iteration, epoch_length, max_epochs)
        assert got == pytest.approx(expected, rel=1e-11, abs=1e-16), at


def test_step_curve_drops_at_its_milestones_and_warm_up_ends_where_it_says():
    schedule = Schedule('lr', curve='step', milestones=(2, 3), gamma=0.5, warmup_epochs=1, warmup_ratio=0.2)
    assert [schedule.value(8.0, i, 2, 4) for i in range(8)] == pytest.approx([1.6, 4.8, 8, 8, 4, 4, 2, 2])


def test_curve_begins_where_it_says_and_is_read_ahead_by_iterations_too():
    schedule = Schedule('x', 0.0, 1.0, 'linear', begin_epoch=1, epochs_ahead=1)
    assert [schedule.value(0, i, 2, 3) for i in range(6)] == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1])


def test_constant_stays():
    assert {Schedule('x', 0.7, curve='constant').value(0, i, 3, 3) for i in range(9)} == {0.7}


@pytest.mark.parametrize(
    ('keys', 'words'),
    [
        (dict(curve='cosin'), 'cosin'),
        (dict(end=None), '`end`'),
        (dict(by='step'), "'iter' or 'epoch'"),
        (dict(target='head.kl_weight'), '`start` is missing'),
        (dict(curve='step'), 'milestones'),
        (dict(target='head.x', curve='geometric', start=0, end=1.0), 'above 0'),
        (dict(curve='geometric', end=0.0), 'above 0'),
        (dict(warmup_ratio=2), 'warmup_ratio'),
        (dict(ennd=1), 'ennd'),
        (dict(end='0.3'), "'0.3'"),
        (dict(warmup_by='epochs'), "`warmup_by` is 'epochs'"),
        (dict(begin_epoch=-1), 'begin_epoch is -1'),
        (dict(epochs_ahead=0.5), 'epochs_ahead is 0.5'),
        (dict(begin_epoch=True), 'begin_epoch is True'),
        (dict(epochs_ahead=False), 'epochs_ahead is False'),
        (dict(end=float('nan')), 'end is nan; it must be a number'),
        (dict(end=True), 'end is True'),
        (dict(target='head.kl_weight', start=float('inf')), 'start is inf'),
        (dict(target='head.kl_weight', start=False), 'start is False'),
        (dict(gamma=float('-inf')), 'gamma is -inf'),
        (dict(gamma=True), 'gamma is True'),
        (dict(gamma=None), 'gamma is None'),
        (dict(warmup_epochs=float('nan')), 'warmup_epochs is nan'),
        (dict(warmup_ratio=True), 'warmup_ratio is True'),
        (dict(milestones=[3, 2]), r'milestones are \[3, 2\]; they must be epochs in rising order'),
        (dict(milestones=[2, 2]), 'milestones'),
        (dict(milestones=[-1, 2]), 'milestones'),
        (dict(milestones=[0.5, 2]), 'milestones'),
        (dict(milestones=[True, 2]), 'milestones'),
        (dict(milestones='23'), "milestones is '23'"),
        (dict(milestones=2), 'milestones is 2;'),
        (dict(milestones=None), 'milestones is None'),
    ],
)
def test_schedule_that_makes_no_sense_is_an_error(keys, words):
    with pytest.raises(ConfigError, match=words):
        AnnealHook(dict(this={'end': 0.0, **keys}))


def runner_at(iteration: int) -> SimpleNamespace:
    model = nn.Module()
    model.momentum = 0.9
    model.register_buffer('weight', torch.zeros((), dtype=torch.float64), persistent=False)
    groups = [dict(lr=0.0, initial_lr=1.0), dict(lr=0.0, initial_lr=0.1)]
    optim_wrapper = SimpleNamespace(param_groups=groups)
    return SimpleNamespace(
        model=model,
        iter=iteration,
        max_epochs=2,
        optim_wrapper=optim_wrapper,
        train_loop=SimpleNamespace(epoch_length=4),
    )


def test_hook_sets_rates_by_group_buffers_in_place_and_plain_attributes():
    runner = runner_at(4)
    buffer = runner.model.weight
    hook = AnnealHook(
        dict(
            lr=dict(end=0.0),
            weight=dict(target='weight', start=0.0, end=1.0, curve='linear'),
            momentum=dict(target='momentum', start=0.0, end=1.0, curve='linear'),
        )
    )
    hook.before_train(runner)
    hook.before_train_iter(runner, 0)
    assert [group['lr'] for group in runner.optim_wrapper.param_groups] == pytest.approx([0.5, 0.05])
    assert runner.model.weight is buffer
    assert buffer.item() == runner.model.momentum == pytest.approx(0.5)


def test_target_that_the_model_lacks_is_named():
    with pytest.raises(ConfigError, match=r"no 'head\.kl_weight'.*no 'head'"):
        AnnealHook(dict(kl=dict(target='head.kl_weight', start=0.1, end=0.3))).before_train(runner_at(0))


def test_star_reaches_every_module_below_that_has_the_attribute():
    runner = runner_at(4)
    runner.model.backbone = nn.Sequential(nn.Module(), nn.Sequential(nn.Module(), nn.ReLU()))
    owners = [runner.model.backbone[0], runner.model.backbone[1][0]]
    for owner in owners:
        owner.register_buffer('tau', torch.zeros(()), persistent=False)
    hook = AnnealHook(dict(tau=dict(target='backbone.*.tau', start=0.0, end=1.0, curve='linear')))
    hook.before_train(runner)
    hook.before_train_iter(runner, 0)
    assert [owner.tau.item() for owner in owners] == [0.5, 0.5]
    assert hook.values == {'tau': 0.5}


def test_star_that_reaches_nothing_and_curve_that_never_begins_are_errors():
    with pytest.raises(ConfigError, match=r"called 'head\.\*\.tau'"):
        AnnealHook(dict(tau=dict(target='head.*.tau', start=0.5, end=1.0))).before_train(runner_at(0))
    with pytest.raises(ConfigError, match=r'begin_epoch is 2, and the training has 2 epoch'):
        AnnealHook(dict(lr=dict(end=0.0, begin_epoch=2))).before_train(runner_at(0))
    with pytest.raises(ConfigError, match=r'epochs_ahead is 2, and the training has 2 epoch'):
        AnnealHook(dict(lr=dict(end=0.0, epochs_ahead=2))).before_train(runner_at(0))


def test_none_takes_a_schedule_away():
    assert AnnealHook(dict(lr=None)).schedules == []
