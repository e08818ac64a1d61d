"""A run that is killed ten times ends where the undisturbed run ends, bit for bit."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from engine.runs import burn
from warm_python import PYTHON

ROOT = Path(__file__).parents[2]
#: (signal, whether it waits for a checkpoint that is being written)
KILLS = [(signal.SIGKILL, False), (signal.SIGINT, True), (signal.SIGKILL, True), (signal.SIGTERM, False)]
KILLS += [(signal.SIGUSR1, True), (signal.SIGHUP, False)]


class Run:
    """A training process, watched through its terminal and its work folder."""

    def __init__(self, config: Path, work_dir: Path) -> None:
        command = [PYTHON, 'tools/train.py', str(config), '--work-dir', str(work_dir), '--resume', 'auto']
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            # a shell starts what it puts into the background deaf to Ctrl-C, nohup to SIGHUP, and that is inherited
            preexec_fn=lambda: [signal.signal(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGHUP)],
            env={**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONUNBUFFERED': '1'},
        )
        self.work_dir = work_dir

    def wait_for_iterations(self, count: int) -> None:
        """Until so many were reported; one line is one iteration."""
        assert self.process.stdout is not None
        while count:
            line = self.process.stdout.readline()
            assert line, f'the run ended early: {self.process.communicate()[1]}'
            count -= bool(re.search(r'iter \d+/\d+', line))

    def wait_for_writing(self) -> int:
        """Until a checkpoint's temporary file is there, whose name holds the number of the process that writes."""
        deadline = time.monotonic() + 60
        while not (files := list(self.work_dir.glob('.*.tmp'))):
            assert self.process.poll() is None, 'the run ended before it wrote'
            assert time.monotonic() < deadline
        return int(files[0].name.split('.')[-3])

    def end(self) -> tuple[int, str]:
        """Exit code and what stood on stderr."""
        _, errors = self.process.communicate(timeout=120)
        return self.process.returncode, errors


def write_config(folder: Path) -> Path:
    """BURN, 20 epochs of 8 iterations, 2 to a step; a checkpoint after every step, a report of every iteration."""
    cfg = burn(
        folder,
        epochs=20,
        batch=128,
        global_batch_size=256,
        default_hooks=dict(
            progress=dict(type='ProgressHook', interval=1), checkpoint=dict(type='CheckpointHook', interval_iters=2)
        ),
    )
    cfg.dump(str(folder / 'config.py'))
    return folder / 'config.py'


def kill(run: Run, number: signal.Signals, while_writing: bool, draw: random.Random) -> None:
    run.wait_for_iterations(draw.randint(2, 5))
    if while_writing:
        os.kill(run.wait_for_writing(), number)
    else:
        time.sleep(draw.random() * 0.05)
        run.process.send_signal(number)
    code, errors = run.end()
    if number == signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        assert code == (130 if number == signal.SIGINT else 143), f'exit code {code}: {errors}'
        assert f'stopped by {number.name} after iteration' in errors
        assert errors.endswith('the same command with --resume auto goes on from there\n')


@pytest.mark.slow
@pytest.mark.process
def test_ten_kills_change_nothing(tmp_path):
    config = write_config(tmp_path)
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    assert Run(config, whole).end()[0] == 0
    draw = random.Random(7)
    torn = 0
    for index in range(10):
        kill(Run(config, parts), *KILLS[index % len(KILLS)], draw)
        torn += any(parts.glob('.*.tmp'))
    last = Run(config, parts)
    code, errors = last.end()
    assert code == 0, errors
    first, second = (torch.load(folder / 'epoch_20.pth', weights_only=True) for folder in (whole, parts))
    for part in ('state_dict', 'optimizer'):
        assert str(first[part].keys()) == str(second[part].keys())
    for name, weight in first['state_dict'].items():
        assert torch.equal(weight, second['state_dict'][name]), name
    for index, state in first['optimizer']['state'].items():
        for name, value in state.items():
            assert torch.equal(value, second['optimizer']['state'][index][name]), (index, name)
    assert torn, 'no kill met a checkpoint that was being written'
    assert not list(parts.glob('.*.tmp'))
