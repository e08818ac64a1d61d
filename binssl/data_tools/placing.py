"""Folders that are there whole or not at all, and files that replace no other one unasked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from binssl.core.files import replace_file
from binssl.core.locks import hold
from binssl.registry import DataError

PART = '.part'


def write_text(path: Path, lines: list[str], overwrite: bool = False) -> str:
    """Write a list file. Names that are not UTF-8 keep their bytes.

    Args:
        path: its folder is made.
        lines: without their ends.
        overwrite: whether another file there may go.

    Returns:
        A line that says whether it was written, or was there already with the same content.

    Raises:
        DataError: another file is there, or a name holds a line break.
    """
    if broken := [line for line in lines if '\n' in line or '\r' in line]:
        raise DataError(f'{broken[0]!r} holds a line break, so no list can name it; rename it')
    content = ''.join(f'{line}\n' for line in lines).encode('utf-8', 'surrogateescape')
    return f'{write_bytes(path, content, overwrite)}: {len(lines):,} lines'


def write_bytes(path: Path, content: bytes, overwrite: bool = False) -> str:
    """Write a small file; as :func:`write_text`."""
    if path.exists():
        if path.read_bytes() == content:
            return f'kept {os.fspath(path)!r}'
        if not overwrite:
            raise DataError(f'{os.fspath(path)!r} is there already, and another one; move it away, or give --overwrite')
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, lambda beside: beside.write_bytes(content))
    return f'wrote {os.fspath(path)!r}'


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
            for unfinished in part.rglob('.*.tmp'):
                unfinished.unlink()
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
        raise DataError(
            f'{os.fspath(folder)!r} has {free_bytes / 1e9:.1f} GB free, and {needed_bytes / 1e9:.1f} GB are needed; '
            'make room, or choose another place with --out'
        )
