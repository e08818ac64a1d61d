"""A recipe killed in each of its steps, started again, ends with the weights of one that was left alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from warm_python import PYTHON

from binssl.checkpoints import read_checkpoint

ROOT = Path(__file__).parents[2]
RECIPE = """
_SHORT = {'train_cfg.max_epochs': 6, 'default_hooks.checkpoint.interval_iters': 2,
          'train_dataloader.batch_size': 64, 'train_dataloader.dataset.split': 'held_out'}
_TEACHER = {'model.teacher.checkpoint': 'teacher'}
_S2BNN = 'configs/selfsup/s2bnn/contrastive_distillation'
steps = [
    dict(name='teacher', config='configs/selfsup/moco/reactnet_real_digits.py', weights='multi', options=_SHORT),
    dict(name='step1', config=f'{_S2BNN}_step1_digits.py', inputs=_TEACHER, weights='multi', options=_SHORT),
    dict(name='step2', config=f'{_S2BNN}_step2_digits.py', inputs=dict(_TEACHER, load_from='step1'), options=_SHORT),
]
test = 'configs/benchmarks/features/digits.py'
rows = {'S2-BNN': 'step2'}
"""


def start(recipe: Path, out: Path) -> subprocess.Popen:
    command = [PYTHON, 'tools/run_recipe.py', str(recipe), '--work-dir', str(out), '--workers', '1']
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def wait_for_any(run: subprocess.Popen, folder: Path, patterns: Sequence[str]) -> None:
    """Until a file of the patterns is in ``folder``, and a little longer: in the midst of something."""
    deadline = time.monotonic() + 120
    while not any(list(folder.glob(pattern)) for pattern in patterns):
        assert run.poll() is None, run.stderr.read().decode()
        assert time.monotonic() < deadline, f'no {patterns} in {folder}'
        time.sleep(0.02)
    time.sleep(0.1)


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != 'linux', reason='kill -9 of the recipe ends its steps on Linux only')
def test_recipe_killed_in_every_step_ends_with_the_same_weights(tmp_path):
    recipe = tmp_path / 'recipe.py'
    recipe.write_text(RECIPE)
    undisturbed = start(recipe, tmp_path / 'whole')
    assert undisturbed.wait(300) == 0, undisturbed.stderr.read().decode()
    for step, patterns in (
        ('teacher', ['iter_*.pth', 'epoch_*.pth']),
        ('teacher', ['latest.pth']),
        ('step1', ['iter_*.pth', 'epoch_*.pth']),
        ('step2', ['step.json']),
        ('step2', ['iter_*.pth', 'epoch_*.pth']),
    ):
        run = start(recipe, tmp_path / 'parts')
        wait_for_any(run, tmp_path / 'parts/seed0' / step, patterns)
        run.kill()
        run.wait()
    last = start(recipe, tmp_path / 'parts')
    assert last.wait(300) == 0, last.stderr.read().decode()
    for step in ('teacher', 'step1', 'step2'):
        whole, parts = (read_checkpoint(tmp_path / f'{name}/seed0/{step}/weights.pth') for name in ('whole', 'parts'))
        assert whole['state_dict'].keys() == parts['state_dict'].keys()
        assert all(torch.equal(tensor, parts['state_dict'][key]) for key, tensor in whole['state_dict'].items()), step
    results = [tmp_path / f'{name}/seed0/test_step2/results.json' for name in ('whole', 'parts')]
    whole, parts = (json.loads(file.read_text())['metrics'] for file in results)
    assert whole == parts
