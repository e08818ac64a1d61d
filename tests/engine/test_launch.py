"""What a process says when another one of its run has ended."""

from __future__ import annotations

import pytest

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
