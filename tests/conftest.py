"""Counts the tests that start a process (they are slow: the suite allows itself only so many); quick run starts."""

from __future__ import annotations

import functools
import multiprocessing.process
import os
import shlex
import subprocess
import tempfile
import types
from collections.abc import Callable, Iterator
from typing import Any

import mmengine.config.config
import pytest
from mmengine.logging import MMLogger
from mmengine.visualization import Visualizer

MOST_TESTS_WITH_PROCESSES = 32
PROPERTY = 'starts a process'
PROGRAMS = ('python', 'bash', 'sh', 'torchrun')

# mmengine copies every config into a folder of its own and removes that: on a disk, nine tenths of the time to read one
if os.access('/dev/shm', os.W_OK):
    mmengine.config.config.tempfile = types.SimpleNamespace(  # type: ignore[assignment]
        TemporaryDirectory=functools.partial(tempfile.TemporaryDirectory, dir='/dev/shm'),
        NamedTemporaryFile=tempfile.NamedTemporaryFile,
    )

running: list[pytest.Item] = []
counted: set[str] = set()


def note() -> None:
    """The test that runs now starts a process."""
    if running and (PROPERTY, True) not in running[-1].user_properties:
        running[-1].user_properties.append((PROPERTY, True))


def is_ours(command: Any) -> bool:
    """Whether a command is an interpreter's; mmengine asks compilers for their versions all the time."""
    words = shlex.split(command) if isinstance(command, str) else [os.fspath(word) for word in command]
    return bool(words) and os.path.basename(str(words[0])).startswith(PROGRAMS)


def watched(start: Callable, when: Callable[..., bool]) -> Callable:
    """``start``, which notes the test where ``when`` is true of its arguments."""

    @functools.wraps(start)
    def noting(self: Any, *args: Any, **kwargs: Any) -> Any:
        if when(*args, **kwargs):
            note()
        return start(self, *args, **kwargs)

    return noting


subprocess.Popen.__init__ = watched(subprocess.Popen.__init__, lambda args, *_, **__: is_ours(args))  # type: ignore
process = multiprocessing.process.BaseProcess
process.start = watched(process.start, lambda: True)  # type: ignore


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    running.append(item)
    try:
        return (yield)
    finally:
        running.pop()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if any(name == PROPERTY for name, _ in report.user_properties):
        counted.add(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    controls = not hasattr(session.config, 'workerinput')
    if controls and len(counted) > MOST_TESTS_WITH_PROCESSES and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    many = len(counted) > MOST_TESTS_WITH_PROCESSES
    terminalreporter.write_line(
        f'{len(counted)} tests started processes (at most {MOST_TESTS_WITH_PROCESSES})'
        + (': too many\n' + '\n'.join(sorted(counted)) if many else '')
    )


@pytest.fixture(autouse=True)
def unformatted_configs(monkeypatch: pytest.MonkeyPatch) -> None:
    """mmengine lays out the text of a config three times a run by yapf, a second in all; nobody reads it here."""
    monkeypatch.setattr(mmengine.config.config, 'FormatCode', lambda text, **style: (text, True))


@pytest.fixture(autouse=True)
def runs_of_their_own() -> Iterator[None]:
    """What mmengine keeps of a run by its name and second ends with the test, as its folder does.

    A run of the next test within that second would be given the last one's visualizer and log, which write into it.
    """
    yield
    for kind in (MMLogger, Visualizer):
        kind._instance_dict.clear()
