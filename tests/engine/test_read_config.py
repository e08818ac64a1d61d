"""Config files as people write them: imports, helpers given anew, other frameworks' forms, runs that stop early."""

from __future__ import annotations

import warnings

import pytest
from engine.runs import VALIDATION, classifier, run

from binssl.engine.config import load_config
from binssl.engine.preflight import problems_of
from binssl.registry import ConfigError


@pytest.mark.parametrize('child', [True, False])
@pytest.mark.parametrize(
    ('line', 'name'),
    [
        ('import math', 'math'),
        ('import os.path as place', 'place'),
        ('import copy', 'copy'),
        ('from datetime import date', 'date'),
        ('from math import pi', 'pi'),
        ('from os import environ', 'environ'),
        ('import numpy as np', 'np'),
    ],
)
def test_an_import_is_no_key_and_stops_nothing(line, name, child, tmp_path):
    (tmp_path / 'base.py').write_text(f'{line}\ntrain_cfg = dict(max_epochs=3)\n')
    (tmp_path / 'config.py').write_text(f"{line if child else ''}\n_base_ = ['./base.py']\nload_from = 'x'\n")
    cfg = load_config(tmp_path / 'config.py')
    assert (cfg.train_cfg.max_epochs, cfg.load_from, name in cfg) == (3, 'x', False)


@pytest.mark.parametrize(
    ('child', 'is_told'),
    [
        ('_EPOCHS = 5', True),
        ('_EPOCHS = 5\ntrain_cfg = dict(max_epochs=_EPOCHS)', False),
        ('_OTHER = 5', False),
        ('train_cfg = dict(max_epochs={{_base_._EPOCHS}})', False),
    ],
)
@pytest.mark.filterwarnings('always')
def test_a_helper_given_anew_that_nothing_reads_is_told(child, is_told, tmp_path):
    (tmp_path / 'first.py').write_text('_EPOCHS = 3\ntrain_cfg = dict(max_epochs=_EPOCHS)\n')
    (tmp_path / 'middle.py').write_text("_base_ = './first.py'\n")
    (tmp_path / 'config.py').write_text(f"_base_ = ['./middle.py']\n{child}\n")
    with warnings.catch_warnings(record=True) as caught:
        cfg = load_config(tmp_path / 'config.py')
    assert any('_EPOCHS changes nothing' in str(warning.message) for warning in caught) == is_told
    assert cfg.train_cfg.max_epochs == {True: 3}.get(is_told, cfg.train_cfg.max_epochs)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('data = dict()\noptimizer = dict()\ntotal_epochs = 3', ['another framework', 'optim_wrapper.', 'max_epochs']),
        ('dataset_type = "X"\ntrain_pipeline = []', ['another framework', "'dataset_type'", "'train_pipeline'"]),
        ('optimizer = dict()', ["nothing reads the config key 'optimizer'", 'optim_wrapper.optimizer']),
        ('_base_ = ["mmselfsup::x/y.py"]', ['the package mmselfsup']),
    ],
)
def test_a_config_of_another_framework_is_known_as_such(text, words, tmp_path):
    (tmp_path / 'config.py').write_text(text + '\n')
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / 'config.py')
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (dict(param_scheduler=[dict(type='MultiStepLR', milestones=[1])]), 'schedules.lr and param_scheduler'),
        (dict(param_scheduler=[dict(type='MultiStepMomentum', milestones=[1])]), ''),
        (dict(schedules=dict(lr=None), param_scheduler=[dict(type='CosineAnnealingLR', T_max=2)]), ''),
        (dict(default_hooks__anneal=None), 'default_hooks.anneal=None removes what schedules needs'),
        (dict(custom_hooks=[dict(type='WeightAverageHook'), dict(type='EMAHook')]), 'do the same work twice'),
        (dict(custom_hooks=[dict(type='WeightAverageHook')] * 2), 'do the same work twice'),
        (dict(custom_hooks=[dict(type='NotANumberHook')], default_hooks__bad=dict(type='NotANumberHook')), 'twice'),
        (dict(custom_hooks=[dict(type='EarlyStoppingHook', monitor=name) for name in ('a', 'b')]), ''),
    ],
)
def test_what_would_do_nothing_or_twice_is_told(changes, words, tmp_path):
    problems = problems_of(classifier(tmp_path, **changes))
    assert [words in problem for problem in problems] == [True] * bool(words)


def test_a_run_that_a_hook_stops_keeps_what_it_has_trained(tmp_path):
    stop = dict(type='EarlyStoppingHook', monitor='knn_top1', patience=1, min_delta=200)
    hook = dict(type='CheckpointHook', interval=10)
    run(classifier(tmp_path, epochs=20, default_hooks__checkpoint=hook, custom_hooks=[stop], **VALIDATION))
    (written,) = (tmp_path / 'run').glob('epoch_*.pth')
    assert written.name in ('epoch_2.pth', 'epoch_3.pth')
    assert (tmp_path / 'run/last_checkpoint').read_text() == written.name + '\n'
