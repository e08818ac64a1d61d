"""docs/recu_options.md: every published option has its row, and what it says to type is taken."""

from __future__ import annotations

import re
import shlex
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from binssl.engine.preflight_parts import check_parts
from binssl.engine.training import parse_training, training_config
from binssl.registry import HOOKS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / 'docs/recu_options.md').read_text()
CONFIGS = ROOT / 'configs/supervised/recu'
ROWS = {option.strip(): typed for option, typed in re.findall(r'^\|( `--[^|]+)\|[^|]*\|([^|]+)\|$', TEXT, re.MULTILINE)}
OPTIONS = {
    'results_dir',
    'save',
    'resume',
    'evaluate',
    'seed',
    'model',
    'teacher',
    'dataset',
    'data_path',
    'type',
    'gpus',
    'lr',
    'weight_decay',
    'momentum',
    'workers',
    'epochs',
    'start_epoch',
    'batch_size',
    'batch_size_test',
    'print_freq',
    'time_estimate',
    'lr_type',
    'lr_decay_step',
    'optimizer',
    'warm_up',
    'use_dali',
    'tau_min',
    'tau_max',
    'stage1',
}
CHANGES = {
    '--seed': lambda cfg: cfg.randomness.seed is None,
    '--epochs': lambda cfg: cfg.train_cfg.max_epochs == 600,
    '--results_dir': lambda cfg: cfg.work_dir == 'RESULTS/SAVE',
    '--batch_size': lambda cfg: (cfg.global_batch_size, cfg.train_dataloader.batch_size) == (512, 256),
    '--batch_size_test': lambda cfg: cfg.val_dataloader.batch_size == cfg.test_dataloader.batch_size == 256,
    '--optimizer': lambda cfg: cfg.optim_wrapper.optimizer == dict(type='Adam', lr=1e-3),
    '--print_freq': lambda cfg: cfg.default_hooks.progress.interval == 100,
    '--resume': lambda cfg: cfg.resume == 'PATH',
    '--stage1': lambda cfg: cfg.load_from == 'PATH',
    '--tau_max': lambda cfg: cfg.schedules.tau.end == 0.99,
    '--warm_up': lambda cfg: cfg.schedules.lr.warmup_epochs == 0,
}


def with_typed(*spans: str, config: str = 'cifar10_resnet18') -> Config:
    """The config of a training as typed; spans that are neither flag nor KEY=VALUE are left out."""
    flags = [word for span in spans if span.startswith('--') for word in shlex.split(span)]
    settings = [
        word
        for span in spans
        if not span.startswith('--')
        for word in shlex.split(span)
        if re.fullmatch(r'[a-z_0-9.]+=.+', word)
    ]
    arguments = [str(CONFIGS / config), *flags, *(['--cfg-options', *settings] if settings else [])]
    return training_config(parse_training(arguments))


def test_every_published_option_has_a_row():
    named = {name for row in ROWS for name in re.findall(r'--(\w+)', row)}
    assert named == OPTIONS


@pytest.mark.parametrize('row', ROWS)
def test_what_a_row_says_to_type_is_taken(row):
    two_stage = 'two-stage' in ROWS[row]
    spans = [span for span in re.findall(r'`([^`]+)`', ROWS[row]) if span not in ('--warm_up', '--lr')]  # the published
    cfg = with_typed(*spans, config='imagenet_twostage_step2' if two_stage else 'cifar10_resnet18')
    assert check_parts(cfg) == []
    HOOKS.build(dict(type='AnnealHook', schedules=cfg.schedules.to_dict()))
    option = re.findall(r'--\w+', row)[0]
    assert CHANGES.get(option, lambda cfg: True)(cfg)


def test_every_file_that_is_named_is_there():
    for name in re.findall(r'(?:configs|tools)/[\w/.-]*\w', TEXT):
        assert (ROOT / name).exists(), name
    for pattern in re.findall(r'`(\w+_[\w*]+\.py)`', TEXT):
        assert list(CONFIGS.glob(pattern)), pattern


def published_rates(lr_type: str, warm_up: bool, epochs: int, milestones: list[int]) -> list[float]:
    """The loop of the published program around torch's schedulers, from a rate of 0.1."""
    optimizer = torch.optim.SGD([dict(params=[torch.zeros(1)], initial_lr=0.1)], lr=0.1)
    kinds: dict[str, Any] = dict(
        cos=lambda: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs - warm_up * 4),
        step=lambda: torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones),
        linear=lambda: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 - epoch / epochs),
    )
    scheduler, rates = kinds[lr_type](), []
    for epoch in range(epochs):
        if warm_up and epoch < 5:
            optimizer.param_groups[0]['lr'] = 0.1 * (epoch + 1) / 5
        rates.append(optimizer.param_groups[0]['lr'])
        if epoch >= 4 * warm_up:
            scheduler.step()
    return rates


@pytest.mark.parametrize(
    ('lr_type', 'warm_up', 'typed'),
    [
        ('cos', True, []),
        ('cos', False, ['schedules.lr.warmup_epochs=0', 'schedules.lr.begin_epoch=0']),
        ('step', True, ['schedules.lr.curve=step', "'schedules.lr.milestones=[104, 204]'"]),
        (
            'step',
            False,
            [
                'schedules.lr.curve=step',
                "'schedules.lr.milestones=[100, 200]'",
                'schedules.lr.warmup_epochs=0',
                'schedules.lr.begin_epoch=0',
            ],
        ),
        ('linear', False, ['schedules.lr.curve=linear', 'schedules.lr.warmup_epochs=0', 'schedules.lr.begin_epoch=0']),
    ],
)
def test_the_rate_of_each_type_is_the_published_one_at_every_epoch(lr_type, warm_up, typed):
    assert all(f'`{setting}`' in TEXT for setting in typed)
    cfg = with_typed(*typed)
    (schedule,) = (
        s for s in HOOKS.build(dict(type='AnnealHook', schedules=cfg.schedules.to_dict())).schedules if s.target == 'lr'
    )
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', UserWarning)  # the optimiser takes no step
        published = published_rates(lr_type, warm_up, 600, [100, 200])
    ours = [schedule.value(0.1, 7 * epoch, 7, 600) for epoch in range(600)]
    assert ours == pytest.approx(published, rel=1e-9, abs=1e-12)
