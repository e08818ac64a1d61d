"""The place of a process in its run, and what it says when another one has ended."""

from __future__ import annotations

import os
import socket
from queue import Empty
from types import SimpleNamespace
from typing import Any

import pytest
from joblib.externals.loky.process_executor import TerminatedWorkerError
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from binssl.core.processes import processes_here
from binssl.engine import launch
from binssl.registry import ConfigError, TrainingError


def test_the_process_that_knows_why_speaks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(launch.time, 'sleep', waited.append)
    with pytest.raises(TrainingError, match='another process of this run has ended'), launch.processes(device='cpu'):
        raise RuntimeError('[gloo/transport/tcp/pair.cc:561] Connection closed by peer [127.0.0.1]:11177.')
    assert waited[0] > 10
    with pytest.raises(RuntimeError, match='out of memory'), launch.processes(device='cpu'):
        raise RuntimeError('out of memory')
    assert len(waited) == 1


BY_SIGNAL = 'DataLoader worker (pid 4711) is killed by signal: Killed. '
BY_BUS = (
    "DataLoader worker (pid 4711) is killed by signal: Bus error. It is possible that dataloader's workers are out of "
    'shared memory. Please try to raise your shared memory limit.'
)
GONE = 'DataLoader worker (pid(s) 4711, 4712) exited unexpectedly'


def with_cause(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ('error', 'words'),
    [
        (RuntimeError(BY_SIGNAL), 'a worker of a data loader was killed by signal: Killed, most likely for want of'),
        (RuntimeError(BY_BUS), 'a worker of a data loader was killed by signal: Bus error, most likely for want of'),
        (with_cause(RuntimeError(GONE), RuntimeError(BY_SIGNAL)), 'was killed by signal: Killed, most likely'),
        (with_cause(RuntimeError(GONE), Empty()), 'a worker of a data loader was killed, most likely'),
        (TerminatedWorkerError('A worker process managed by the executor ...'), 'a worker process was killed, most'),
    ],
)
def test_a_killed_worker_is_one_sentence_with_a_remedy(error: Exception, words: str) -> None:
    """The words are torch 2.14's."""
    with pytest.raises(TrainingError, match=words), launch.processes():
        raise error
    assert 'fewer' in (launch.lost_worker(error) or '')


@pytest.mark.parametrize(
    'error', [RuntimeError('Caught RuntimeError in DataLoader worker process 0.\nOriginal'), EOFError(), OSError()]
)
def test_an_error_in_a_worker_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)), launch.processes():
        raise error


@pytest.mark.parametrize('error', [ConnectionResetError(104, 'Connection reset by peer'), EOFError()])
def test_a_connection_that_breaks_while_a_loader_receives_is_a_killed_worker(error: Exception) -> None:
    def broken(**_: Any) -> None:
        raise error

    loader = SimpleNamespace(_data_queue=SimpleNamespace(get=broken), _workers=[], _workers_status=[])
    with pytest.raises(TrainingError, match=r'^a worker of a data loader was killed'), launch.processes():
        _MultiProcessingDataLoaderIter._try_get_data(loader)


@pytest.mark.parametrize(
    ('launcher', 'names'),
    [
        ('slurm', 'SLURM_PROCID SLURM_NTASKS SLURM_LOCALID SLURM_NTASKS_PER_NODE'),
        ('mpi', 'OMPI_COMM_WORLD_RANK OMPI_COMM_WORLD_SIZE OMPI_COMM_WORLD_LOCAL_RANK OMPI_COMM_WORLD_LOCAL_SIZE'),
    ],
)
def test_a_launcher_says_which_process_this_is(launcher: str, names: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = dict(zip(names.split(), ('5', '8', '1', '4'), strict=True))
    monkeypatch.setattr(launch.os, 'environ', said)
    launch._map_environment(launcher)
    assert [said[name] for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK')] == ['5', '8', '1']
    assert processes_here() == 4


SLURM = dict(SLURM_PROCID='1', SLURM_NTASKS='4', SLURM_LOCALID='1', SLURM_NTASKS_PER_NODE='2', SLURM_JOB_ID='7')
TORCH = dict(
    RANK='1', WORLD_SIZE='4', LOCAL_RANK='1', LOCAL_WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT='29500'
)


@pytest.mark.parametrize(
    ('launcher', 'name', 'value', 'rule'),
    [
        ('slurm', 'SLURM_NTASKS', 'two', 'at least 1'),
        ('slurm', 'SLURM_NTASKS', '0', 'at least 1'),
        ('slurm', 'SLURM_PROCID', '4', 'from 0 to 3'),
        ('slurm', 'SLURM_PROCID', '-1', 'from 0 to 3'),
        ('slurm', 'SLURM_LOCALID', '2', 'from 0 to 1'),
        ('slurm', 'SLURM_NTASKS_PER_NODE', '2(x2)', 'from 1 to 4'),
        ('slurm', 'SLURM_JOB_ID', 'mine', 'at least 0'),
        ('slurm', 'SLURM_NODELIST', 'n[1-2', 'scontrol does not expand'),
        ('slurm', 'SLURM_PROCID', '', 'not set in the environment'),
        ('slurm', 'MASTER_ADDR', 'no such machine', 'no machine is known by'),
        ('pytorch', 'RANK', '1.0', 'from 0 to 3'),
        ('pytorch', 'WORLD_SIZE', 'x', 'at least 1'),
        ('pytorch', 'LOCAL_RANK', '9', 'from 0 to 1'),
        ('pytorch', 'LOCAL_WORLD_SIZE', '8', 'from 1 to 4'),
        ('pytorch', 'MASTER_PORT', '99999999', 'from 1 to 65535'),
        ('mpi', 'MASTER_PORT', 'http', 'from 1 to 65535'),
    ],
)
def test_a_place_that_cannot_be_is_told_by_its_name(launcher, name, value, rule, monkeypatch) -> None:
    said = dict({'slurm': dict(SLURM, SLURM_NODELIST='localhost')}.get(launcher, TORCH), **{name: value})
    monkeypatch.setattr(launch.os, 'environ', {**said, 'PATH': os.environ['PATH']})
    with pytest.raises(ConfigError) as caught, launch.processes(launcher, 'cpu'):
        pass
    assert str(caught.value).startswith(f'--launcher {launcher}: ')
    assert (name if value else 'RANK') in str(caught.value)
    assert rule in str(caught.value)


def test_processes_that_do_not_come_are_told_of_and_not_waited_for_without_end(monkeypatch, capfd) -> None:
    with socket.socket() as free:
        free.bind(('', 0))
        port = str(free.getsockname()[1])
    monkeypatch.setattr(launch.os, 'environ', dict(TORCH, RANK='0', LOCAL_RANK='0', MASTER_PORT=port))
    monkeypatch.setattr(launch, '_SECONDS_TO_WONDER', 0.1)
    monkeypatch.setattr(launch, '_SECONDS_TO_MEET', 2.0)
    with pytest.raises(ConfigError, match=f'process 0 did not meet the 4 processes of this run .* port {port}'):
        launch.processes('pytorch', 'cpu').__enter__()
    assert 'warning: process 0 has waited 0 s to meet the 4 processes' in capfd.readouterr().err
