"""Two runs do not share a folder, and no lock outlives its run."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from engine.runs import NAMES, classifier

from binssl.core import processes
from binssl.core.locks import only_one, only_training
from binssl.engine.training import parse_training, train
from binssl.registry import ConfigError


def start(folder: Path, *flags: str) -> None:
    """``tools/train.py`` with a work folder in ``folder``."""
    cfg = classifier(folder, epochs=1)
    cfg.experiment_name = f'test_{next(NAMES)}'
    cfg.dump(str(folder / 'config.py'))
    train(parse_training([str(folder / 'config.py'), '--device', 'cpu', *flags]))


@contextmanager
def forked(act: Callable[[], object]) -> Iterator[None]:
    """A child that has done ``act`` and waits; killed at the end."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        act()
        os.write(writing, b'1')
        signal.pause()
    os.read(reading, 1)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)


def test_second_training_is_refused_before_it_builds_anything_and_a_check_is_not(tmp_path):
    with only_one(tmp_path / 'run', 'a training'):
        start(tmp_path, '--check', '1')
        with pytest.raises(ConfigError, match=r'^a training is running in .*run: wait for it, or give another --work'):
            start(tmp_path)
        assert [path.name for path in (tmp_path / 'run').iterdir()] == ['.lock']
    start(tmp_path)
    assert (tmp_path / 'run' / 'latest.pth').is_file()
    with only_one(tmp_path / 'run'):  # it was given back
        pass


def test_check_makes_no_folder(tmp_path):
    start(tmp_path, '--check', '1')
    assert not (tmp_path / 'run').exists()


def test_who_is_kept_out_hears_what_runs(tmp_path):
    with only_one(tmp_path, 'a training'), pytest.raises(ConfigError, match='a training is'), only_one(tmp_path):
        pass
    with only_one(tmp_path), pytest.raises(ConfigError, match='a recipe is running'), only_training(tmp_path):
        pass


def test_killed_run_keeps_nobody_out(tmp_path):
    lock = only_one(tmp_path)
    with forked(lock.__enter__), pytest.raises(ConfigError, match='is running'), only_one(tmp_path):
        pass
    with only_one(tmp_path):
        pass


def test_worker_that_lives_on_keeps_nobody_out(tmp_path):
    lock = only_one(tmp_path)
    lock.__enter__()
    with forked(lambda: None):
        with pytest.raises(ConfigError, match='is running'), only_one(tmp_path):
            pass  # the child's end of the lock is not the parent's
        lock.__exit__(None, None, None)
        with only_one(tmp_path):
            pass


def test_other_processes_end_with_the_first(tmp_path, monkeypatch):
    """A second process takes no lock, and raises what the first was told."""
    monkeypatch.setattr(processes, 'is_main_process', lambda: False)
    monkeypatch.setattr(processes, 'broadcast_object_list', lambda outcome: None)
    with only_training(tmp_path / 'run'):
        assert not (tmp_path / 'run').exists()
    refused = ConfigError('a training is running')
    monkeypatch.setattr(processes, 'broadcast_object_list', lambda outcome: outcome.__setitem__(0, refused))
    with pytest.raises(ConfigError, match='a training is running'), only_training(tmp_path / 'run'):
        pass


def test_file_system_without_locks_lets_a_run_in(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, 'no locks')

    monkeypatch.setattr('fcntl.flock', refuse)
    with only_one(tmp_path), only_one(tmp_path):
        assert (tmp_path / '.lock').is_file()
