"""A grid of rates: which runs there are, what is kept, the table; and semi-supervised training in two processes."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
from warm_python import PYTHON

from binssl.checkpoints import read_checkpoint
from binssl.engine.training import parse_training, train
from binssl.recipes import grid
from binssl.recipes.grid import grid_jobs, parse_grid, run_grid
from binssl.registry import ConfigError, TrainingError

ROOT = Path(__file__).parents[2]
CONFIG = 'configs/benchmarks/semi_classification/digits_10percent.py'


class InThisProcess:
    """Plays the runner of jobs: every run has the top-1 that ``scores`` says, None for one that fails."""

    def __init__(self, scores: dict[str, float | None]) -> None:
        self.scores, self.ran = scores, []

    def __call__(self, jobs, tools, workers, processes, keep_going):
        assert (workers, keep_going) == (1, True)
        self.jobs = jobs
        return self

    def run(self) -> None:
        for job in self.jobs:
            if job.is_done():
                continue
            job.begin()
            self.ran.append(job.step.name)
            score = self.scores[job.step.name]
            if score is None:
                continue
            for start, value in (('1', 5.0), ('2', score)):  # as a run that was interrupted once
                log = job.folder / start / 'vis_data' / 'scalars.json'
                log.parent.mkdir(parents=True)
                log.write_text(json.dumps({'val_top1': value, 'step': 8}) + '\n' + json.dumps({'step': 9}) + '\n')
            job.output.write_text(json.dumps(dict(metrics=dict(top1=score - 1))))
            job.finish([['played']])
        if None in self.scores.values():
            raise TrainingError('one failed')


def test_pairs_are_all_run_kept_and_told(weights, tmp_path, monkeypatch, capsys):
    arguments = [
        CONFIG,
        str(weights),
        '--lrs',
        '0.001',
        '0.1',
        '--head-factors',
        '1',
        '100',
        '--work-dir',
        str(tmp_path / 'grid'),
    ]
    scores = {'lr0_001_head1': 20.0, 'lr0_001_head100': 60.0, 'lr0_1_head1': 70.5, 'lr0_1_head100': None}
    played = InThisProcess(scores)
    monkeypatch.setattr(grid, 'RecipeRunner', played)
    with pytest.raises(TrainingError, match='one failed'):
        run_grid(parse_grid(arguments), ROOT / 'tools')
    assert played.ran == list(scores)
    assert 'not done' in capsys.readouterr().out
    played.ran, played.scores = [], dict(scores, lr0_1_head100=65.0)
    run_grid(parse_grid(arguments), ROOT / 'tools')
    assert played.ran == ['lr0_1_head100']
    record = json.loads((tmp_path / 'grid' / 'grid.json').read_text())
    assert record['best'] == 'lr0_1_head1'
    assert [row['validation'] for row in record['runs']] == [20.0, 60.0, 70.5, 65.0]
    text = (tmp_path / 'grid' / 'grid.md').read_text()
    row = next(line for line in text.splitlines() if line.startswith('| lr0_1_head1 '))
    assert [cell.strip() for cell in row.strip('|').split('|')] == ['lr0_1_head1', '0.1', '0.1', '**70.50**', '69.50']


def test_default_is_the_published_grid(weights):
    jobs = grid_jobs(parse_grid([CONFIG, str(weights)]))
    names = [f'lr{rate}_head{factor}' for rate in ('0_001', '0_01', '0_1') for factor in (1, 10, 100)]
    assert [job.step.name for job in jobs] == names


@pytest.mark.parametrize(
    ('config', 'flags', 'words'),
    [
        (CONFIG, ['--lrs', '0.1', '0.1'], 'each once'),
        (CONFIG, ['--head-factors', '0'], 'must be positive numbers'),
        ('configs/benchmarks/linear_classification/digits.py', [], 'no rate of its own'),
        (CONFIG, ['--cfg-options', 'val_evaluator=none'], 'no top-1 of its val data, by which a grid chooses'),
        (CONFIG, ['--cfg-options', 'val_evaluator=[dict(type="Accuracy", topk=[5])]'], 'no top-1 of its val data'),
        (
            CONFIG,
            ['--cfg-options', 'test_evaluator=[dict(type="KNNAccuracy")]'],
            'no top-1 of its test data, which its',
        ),
        (CONFIG, ['--cfg-options', 'test_dataloader=none'], 'no top-1 of its test data'),
        (CONFIG, ['--cfg-options', 'train_dataloader.dataset.percent=0'], 'percent 0 of FewLabels'),
    ],
)
def test_what_makes_no_sense_is_told_before_any_run(config, flags, words, weights, tmp_path):
    with pytest.raises(ConfigError, match=words):
        run_grid(parse_grid([config, str(weights), '--work-dir', str(tmp_path / 'grid'), *flags]), ROOT / 'tools')


def top1(run: Path) -> float:
    (log,) = run.glob('*/vis_data/scalars.json')
    return [json.loads(line)['val_top1'] for line in log.read_text().splitlines() if 'val_top1' in line][-1]


@pytest.mark.slow
@pytest.mark.process
def test_two_processes_train_as_one(weights, tmp_path):
    options = [
        'train_cfg.max_epochs=1',
        'train_cfg.val_interval=1',
        'schedules=none',
        'global_batch_size=20',
        'train_dataloader.batch_size=20',
        'default_hooks.checkpoint.interval=1',
    ]
    one, two = tmp_path / 'one', tmp_path / 'two'
    train(parse_training([CONFIG, '--pretrained', str(weights), '--work-dir', str(one), '--cfg-options', *options]))
    done = subprocess.run(
        [
            'bash',
            'benchmarks/dist_train_semi.sh',
            CONFIG,
            str(weights),
            '--work-dir',
            str(two),
            '--cfg-options',
            *options,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, 'PYTHON': PYTHON, 'GPUS': '2', 'OMP_NUM_THREADS': '1'},
    )
    assert done.returncode == 0, done.stderr
    assert top1(two) == top1(one)
    for name, weight in read_checkpoint(one / 'latest.pth')['state_dict'].items():
        other = read_checkpoint(two / 'latest.pth')['state_dict'][name]
        torch.testing.assert_close(other, weight, rtol=1e-3, atol=1e-4, msg=name)
