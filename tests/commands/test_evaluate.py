"""tools/evaluate.py with the real tools: one table, the numbers of the commands themselves, nothing done twice."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from warm_python import PYTHON

from binssl.engine.testing import parse_testing
from binssl.engine.testing import test as run_test
from binssl.engine.weights import write_initial_weights
from binssl.recipes.evaluate import evaluate, parse_evaluation

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
        options={'train_cfg.max_epochs': 1, 'train_cfg.val_interval': 1},
        shows=dict(top1='top-1'),
    ),
    svm=dict(
        kind='svm',
        config='configs/benchmarks/svm/digits.py',
        options={'test_evaluator.0.costs': [1.0], 'test_evaluator.0.shots': []},
        shows=dict(svm_top1='top-1'),
    ),
)
"""


def record_in(folder: Path) -> dict:
    """The record, without the commit: the code may be committed between two runs."""
    return dict(json.loads((folder / 'evaluation.json').read_text()), commit=None)


@pytest.mark.slow
@pytest.mark.process
def test_one_table_of_all_tasks_and_a_second_start_does_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'small.py').write_text(SMALL.format(base=Path('configs/_base_/models/reactnet_digits.py').resolve()))
    (tmp_path / 'suite.py').write_text(SUITE)
    weights, out = tmp_path / 'weights.pth', tmp_path / 'out'
    write_initial_weights(tmp_path / 'small.py', weights)
    arguments = [str(weights), '--suite', str(tmp_path / 'suite.py'), '--work-dir', str(out)]
    command = [PYTHON, 'tools/evaluate.py', *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'done in' in done.stdout
    record = record_in(out)
    values = {row['task']: row['metrics'][0] for row in record['tasks']}
    capsys.readouterr()
    evaluate(parse_evaluation(arguments), Path('tools'))
    again = capsys.readouterr().out
    assert 'done in' not in again
    assert again.count('already done') == 3
    assert record_in(out) == record
    # every number is what its own command gives
    alone = tmp_path / 'alone'
    run_test(
        parse_testing(
            [
                'configs/benchmarks/linear_classification/digits.py',
                str(out / 'seed0' / 'suite.linear' / 'latest.pth'),
                '--work-dir',
                str(alone),
            ]
        )
    )
    assert json.loads((alone / 'results.json').read_text())['metrics']['top1'] == values['suite.linear']['top1']
    assert 0 < values['suite.knn']['knn_top1_20'] < 100
    assert 0 < values['suite.svm']['svm_top1'] < 100
