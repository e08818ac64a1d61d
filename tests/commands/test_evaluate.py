"""tools/evaluate.py with the real tools: one table, the numbers of the commands themselves, nothing done twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from binssl.engine.initial_weights import write_initial_weights

SMALL = """
_base_ = ['{base}']
model = dict(type='Encoder', backbone=dict(channels=[8, 8, 16], strides=[1, 2]))
"""
SUITE = """
tasks = dict(
    knn=dict(config='configs/benchmarks/knn/digits.py', shows=dict(knn_top1_20='k = 20')),
    linear=dict(
        kind='probe',
        config='configs/benchmarks/linear_classification/digits.py',
        options={'train_cfg.max_epochs': 2, 'train_cfg.val_interval': 2},
        shows=dict(top1='top-1'),
    ),
    svm=dict(kind='svm', config='configs/benchmarks/svm/digits.py', shows=dict(svm_top1='top-1')),
)
"""


def run(*arguments: str | Path) -> str:
    """What a command prints; it has to end well."""
    done = subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.process
def test_one_table_of_all_tasks_and_a_second_start_does_nothing(tmp_path: Path) -> None:
    (tmp_path / 'small.py').write_text(SMALL.format(base=Path('configs/_base_/models/reactnet_digits.py').resolve()))
    (tmp_path / 'suite.py').write_text(SUITE)
    weights, out = tmp_path / 'weights.pth', tmp_path / 'out'
    write_initial_weights(tmp_path / 'small.py', weights)
    arguments = ['tools/evaluate.py', weights, '--suite', tmp_path / 'suite.py', '--work-dir', out]
    assert 'done in' in run(*arguments)
    record = json.loads((out / 'evaluation.json').read_text())
    values = {row['task']: row['metrics'][0] for row in record['tasks']}
    again = run(*arguments)
    assert 'done in' not in again
    assert again.count('already done') == 3
    assert json.loads((out / 'evaluation.json').read_text()) == record
    # every number is what its own command gives
    alone = tmp_path / 'alone'
    run('tools/test.py', 'configs/benchmarks/linear_classification/digits.py',
        out / 'seed0' / 'suite.linear' / 'latest.pth', '--work-dir', alone)  # fmt: skip
    assert json.loads((alone / 'results.json').read_text())['metrics']['top1'] == values['suite.linear']['top1']
    assert 0 < values['suite.knn']['knn_top1_20'] < 100
    assert 0 < values['suite.svm']['svm_top1'] < 100
