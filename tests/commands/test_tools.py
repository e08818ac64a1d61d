"""The commands as a person types them: exit codes, what stands on stderr, several processes and nodes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from engine.runs import burn, classifier
from warm_python import PYTHON

from binssl.checkpoints import read_checkpoint

ROOT = Path(__file__).parents[2]


def start(*command: str, **environment: str) -> subprocess.Popen[str]:
    env = {**os.environ, 'PYTHON': PYTHON, 'OMP_NUM_THREADS': '1', **environment}
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    output, errors = process.communicate(timeout=300)
    return process.returncode, output, errors


def free_port() -> str:
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return str(listener.getsockname()[1])


@pytest.mark.process
def test_expected_error_is_one_message_and_an_exit_code(tmp_path):
    (tmp_path / 'config.py').write_text('modell = 5\n')
    for tool, more in (('train', []), ('test', ['weights.pth'])):
        code, output, errors = end(start(PYTHON, f'tools/{tool}.py', str(tmp_path / 'config.py'), *more))
        assert code == 1
        assert errors.startswith("error: nothing reads the config key 'modell'")
        assert 'Traceback' not in errors
        assert not output


@pytest.mark.process
def test_two_nodes_train_stop_and_resume_as_one_run(tmp_path):
    """Both on this machine, a process each; they meet at one port and share the work folder."""
    cfg = burn(
        tmp_path,
        epochs=4,
        batch=64,
        global_batch_size=256,
        sync_bn=True,
        default_hooks__checkpoint=dict(type='CheckpointHook', interval=4),
    )
    cfg.dump(str(tmp_path / 'config.py'))

    def launch(*arguments: str) -> list[subprocess.Popen[str]]:
        port = free_port()
        return [
            start(
                'bash',
                'tools/dist_train.sh',
                str(tmp_path / 'config.py'),
                '1',
                *arguments,
                NNODES='2',
                NODE_RANK=str(rank),
                MASTER_ADDR='127.0.0.1',
                PORT=port,
                PYTHONUNBUFFERED='1',
            )
            for rank in (0, 1)
        ]

    def train(*arguments: str) -> list[tuple[int, str, str]]:
        return [end(node) for node in launch(*arguments)]

    first = train()
    assert [code for code, _, _ in first] == [0, 0], first
    assert '4 epochs of 8 iterations, 2 batch(es) a step' in first[0][1]
    assert 'iter ' not in first[1][1]  # one node speaks for both
    whole = read_checkpoint(tmp_path / 'run/epoch_4.pth')
    assert (whole['meta']['world_size'], whole['meta']['iter']) == (2, 32)

    parts = ['--work-dir', str(tmp_path / 'parts')]
    nodes = launch(*parts)
    assert any('iter ' in line for line in nodes[0].stdout)
    nodes[1].send_signal(signal.SIGTERM)  # one of them is told
    stopped = [end(node) for node in nodes]
    assert [code for code, _, _ in stopped] == [143, 143], stopped
    assert 'stopped by SIGTERM after iteration' in stopped[0][2]
    (middle,) = (tmp_path / 'parts').glob('iter_*.pth')
    again = train(*parts, '--resume', 'auto')
    assert [code for code, _, _ in again] == [0, 0], again
    assert f'resumed from {middle}' in again[0][1]
    resumed = read_checkpoint(tmp_path / 'parts/epoch_4.pth')
    assert all(tensor.equal(resumed['state_dict'][name]) for name, tensor in whole['state_dict'].items())


@pytest.mark.process
def test_error_in_two_processes_is_told_once(tmp_path):
    cfg = classifier(
        tmp_path,
        batch=64,
        optim_wrapper__optimizer=dict(type='SGD', lr=1e30),
        schedules={},
        default_hooks__not_a_number=dict(type='NotANumberHook', interval=2),
    )
    cfg.dump(str(tmp_path / 'config.py'))
    code, _, errors = end(start('bash', 'tools/dist_train.sh', str(tmp_path / 'config.py'), '2', '--device', 'cpu'))
    assert code != 0
    assert errors.count('error: the loss was not finite at iteration') == 1
    assert 'terminate called' not in errors
    assert 'Traceback' not in errors
