"""Locks on folders, which end with the process that holds them, however that ends.

Not filelock's: it neither says who holds a lock nor, in all its releases, leaves one to the parent when a loader's
worker is forked.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from binssl.core.files import remove_leftovers
from binssl.core.processes import by_the_first
from binssl.registry import ConfigError

_held: set[IO[str]] = set()


@contextmanager
def hold(file: Path, what: str, message: str) -> Iterator[None]:
    """Hold the lock ``file`` while the block runs; on a file system without locks, nobody is kept out.

    Args:
        file: hidden; its folder is made, and it stays.
        what: runs, for those who are kept out.
        message: for them; ``{}`` stands for what is running.

    Raises:
        ConfigError: another process holds it, or the file is none of ours.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with _open_lock(file) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise ConfigError(message.format(lock.read().strip() or 'another run')) from None
        except OSError:
            pass
        lock.truncate(0)
        lock.write(what)
        lock.flush()
        _held.add(lock)
        try:
            yield
        finally:
            _held.discard(lock)


def _open_lock(file: Path) -> IO[str]:
    """The file, which is emptied later: never one that has another name, too."""
    if os.path.lexists(file):
        state = file.lstat()
        if not stat.S_ISREG(state.st_mode) or state.st_nlink > 1:
            raise ConfigError(f'{file} is no file that a run made, but a link, a pipe or the like: remove it')
    return open(file, 'a+', opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666))


@contextmanager
def only_one(work_dir: Path, what: str = 'a recipe') -> Iterator[None]:
    """:func:`hold` ``work_dir/.lock``: other runs are kept out of the folder; what killed ones left goes."""
    with hold(work_dir / '.lock', what, f'{{}} is running in {work_dir}: wait for it, or give another --work-dir'):
        remove_leftovers(work_dir)
        yield


@contextmanager
def only_training(work_dir: Path) -> Iterator[None]:
    """:func:`only_one` for the processes of a training: the first takes the lock, and all end where it is refused."""
    with ExitStack() as stack:
        by_the_first(lambda: stack.enter_context(only_one(work_dir, 'a training')))
        yield


def _leave_to_parent() -> None:
    """A worker of a loader may live on for seconds when its parent is killed: the lock is not its own."""
    for lock in _held:
        lock.close()
    _held.clear()


os.register_at_fork(after_in_child=_leave_to_parent)
