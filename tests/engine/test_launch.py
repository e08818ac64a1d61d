"""The place of a process in its run, and what it says when another one has ended."""

from __future__ import annotations

import pytest

from binssl.core.processes import processes_here
from binssl.engine import launch
from binssl.registry import TrainingError


def test_the_process_that_knows_why_speaks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(launch.time, 'sleep', waited.append)
    with pytest.raises(TrainingError, match='another process of this run has ended'), launch.processes(device='cpu'):
        raise RuntimeError('[gloo/transport/tcp/pair.cc:561] Connection closed by peer [127.0.0.1]:11177.')
    assert waited[0] > 10
    with pytest.raises(RuntimeError, match='out of memory'), launch.processes(device='cpu'):
        raise RuntimeError('out of memory')
    assert len(waited) == 1


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
