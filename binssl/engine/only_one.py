"""One run to a folder: a lock that ends with the process that took it, however that ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from mmengine.dist import broadcast_object_list, is_main_process

from binssl.registry import ConfigError

_held: set[IO[str]] = set()


@contextmanager
def only_one(work_dir: Path, what: str = 'a recipe') -> Iterator[None]:
    """Keep every other run out of ``work_dir`` while this one runs; on a file system without locks, nobody.

    Args:
        work_dir: made if it is not there; its file ``.lock`` stays.
        what: runs, for those who are kept out.

    Raises:
        ConfigError: another one is running there.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    with (work_dir / '.lock').open('a+') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            running = lock.read().strip() or 'another run'
            raise ConfigError(f'{running} is running in {work_dir}: wait for it, or give another --work-dir') from None
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


@contextmanager
def only_training(work_dir: Path) -> Iterator[None]:
    """:func:`only_one` for the processes of a training: the first takes the lock, and all end where it is refused.

    Raises:
        ConfigError: in every process; or OSError, where the folder cannot be written.
    """
    with ExitStack() as stack:
        outcome: list[Exception | None] = [None]
        if is_main_process():
            try:
                stack.enter_context(only_one(work_dir, 'a training'))
            except (ConfigError, OSError) as error:
                outcome = [error]
        broadcast_object_list(outcome)
        if outcome[0] is not None:
            raise outcome[0]
        yield


def _leave_to_parent() -> None:
    """A worker of a loader may live on for seconds when its parent is killed: the lock is not its own."""
    for lock in _held:
        lock.close()
    _held.clear()


os.register_at_fork(after_in_child=_leave_to_parent)
