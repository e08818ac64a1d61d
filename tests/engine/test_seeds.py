"""A run whose seed is None draws one, says it, and keeps it when it goes on."""

from __future__ import annotations

import argparse

import pytest
import torch
from engine.runs import build, classifier, log_of, run, run_until

from binssl.checkpoints import read_checkpoint
from binssl.engine.training import seed_argument

NO_SEED = dict(randomness=dict(seed=None), default_hooks__checkpoint=dict(type='CheckpointHook', interval_iters=1))


def test_runs_without_a_seed_differ_and_say_theirs(tmp_path):
    first, second = (build(classifier(tmp_path / name, **NO_SEED)) for name in 'ab')
    assert first.seed != second.seed
    assert f'this run has seed {first.seed}' in log_of(first)
    assert not torch.equal(first.model.head.fc.weight, second.model.head.fc.weight)


def test_run_without_a_seed_goes_on_with_the_one_it_drew(tmp_path):
    run_until(classifier(tmp_path, **NO_SEED), 3)
    drawn = read_checkpoint(tmp_path / 'run/iter_2.pth')['meta']['seed']
    assert run(classifier(tmp_path, resume='auto', **NO_SEED)).seed == drawn


def test_seed_argument_is_a_number_or_none():
    assert (seed_argument('7'), seed_argument('None')) == (7, 'none')
    with pytest.raises(argparse.ArgumentTypeError, match="'off' is neither a whole number nor none"):
        seed_argument('off')
