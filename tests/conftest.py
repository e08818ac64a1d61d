"""Fixtures of many tests; a count of the tests that start a process, which are slow; quick run starts."""

from __future__ import annotations

import functools
import gc
import multiprocessing.process
import os
import shlex
import subprocess
import tempfile
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mmengine.config.config
import pytest
from imagenet_folder import make_imagenet_folder
from made_up_cifar import write_cifar10
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope, init_default_scope
from mmengine.visualization import Visualizer
from warm_python import LIBRARIES, start_server

from binssl.engine.weights import write_initial_weights

MOST_TESTS_WITH_PROCESSES = 32
PROPERTY = 'starts a process'
PROGRAMS = ('python', 'warm_python', 'bash', 'sh', 'torchrun')

# mmengine copies every config into a folder of its own and removes that: on a disk, nine tenths of the time to read one
if os.access('/dev/shm', os.W_OK):
    mmengine.config.config.tempfile = types.SimpleNamespace(  # type: ignore[assignment]
        TemporaryDirectory=functools.partial(tempfile.TemporaryDirectory, dir='/dev/shm'),
        NamedTemporaryFile=tempfile.NamedTemporaryFile,
    )

SMALL = """
model = dict(
    type='Encoder',
    data_preprocessor=dict(type='ImageNormalizer', mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(type='TorchvisionResNet', depth=18, stem='small', widths=[16, 32], depths=[1, 1]),
)
"""

multiprocessing.set_forkserver_preload(LIBRARIES)
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


def pytest_configure(config: pytest.Config) -> None:
    if getattr(config.option, 'numprocesses', None):
        start_server()  # one for all workers


def pytest_collection_finish() -> None:
    gc.freeze()  # a million objects of the libraries and the list of tests, which no collection need look at again


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take long first: none of them is left over for one worker at the end."""
    long = {item.path for item in items if item.get_closest_marker('slow') and item.get_closest_marker('process')}
    items.sort(key=lambda item: item.path not in long)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker('process'):
        start_server()


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


@pytest.fixture(autouse=True)
def _scope() -> Iterator[None]:
    """The scope that a Runner would set."""
    if DefaultScope.get_current_instance() is None:
        init_default_scope('binssl')
    with DefaultScope.overwrite_default_scope('binssl'):
        yield


@pytest.fixture(scope='session')
def shared_imagenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 + 16 JPEGs in 4 classes with lists; not to be changed."""
    return make_imagenet_folder(tmp_path_factory.mktemp('imagenet'))


@pytest.fixture
def imagenet(tmp_path: Path) -> Path:
    """12 + 4 JPEGs of one's own."""
    return make_imagenet_folder(tmp_path / 'imagenet', train=12, val=4, classes=3)


@pytest.fixture(scope='session')
def shared_cifar10(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """50 + 20 images, not to be changed."""
    return write_cifar10(tmp_path_factory.mktemp('cifar10'))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A small real network as it is initialised."""
    (tmp_path / 'small.py').write_text(SMALL)
    write_initial_weights(tmp_path / 'small.py', tmp_path / 'weights.pth')
    return tmp_path / 'weights.pth'
