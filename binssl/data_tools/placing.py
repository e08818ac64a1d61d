"""Folders that are there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from binssl.core.files import remove_leftovers, replace_file
from binssl.core.locks import hold
from binssl.registry import DataError

PART = '.part'


@contextmanager
def gathering(folder: Path) -> Iterator[Path]:
    """Gather the files of ``folder`` in ``folder.part``, which gets its name in one step when the block has ended well.

    Gives ``folder.part``: new, or as an interrupted run left it, without its unfinished files.

    Raises:
        DataError: ``folder`` is there.
        ConfigError: another run is making it.
    """
    _check_absent(folder)
    part = folder.with_name(folder.name + PART)
    lock = part / '.lock'
    with hold(lock, 'another run', f'{{}} is filling {os.fspath(part)!r} now; wait for it, or end it'):
        try:
            _check_absent(folder)  # another run may just have finished it
            for place in {file.parent for file in part.rglob('.*.tmp')}:
                remove_leftovers(place)
            yield part
        except BaseException:
            if part.is_dir() and os.listdir(part) == [lock.name]:  # a run that has placed nothing leaves nothing
                shutil.rmtree(part)
            raise
        lock.unlink()
        part.rename(folder)


def _check_absent(folder: Path) -> None:
    if folder.exists():
        raise DataError(f'{os.fspath(folder)!r} is there already and is left as it is; move it away, or choose another')


def copy_file(source: Path, path: Path) -> None:
    """A copy of the bytes of ``source``, in a folder that is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # not flushed one by one: what a kill leaves is removed by the next gathering
    replace_file(path, lambda beside: shutil.copyfile(source, beside), durable=False)


def check_room(folder: Path, needed_bytes: int) -> None:
    """Raises a DataError where the disk of ``folder``, which is there, has less than ``needed_bytes`` free."""
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        told = f'has {free_bytes / 1e9:.1f} GB free, and {needed_bytes / 1e9:.1f} GB are needed'
        raise DataError(f'{os.fspath(folder)!r} {told}; make room, or choose another place with --out')
