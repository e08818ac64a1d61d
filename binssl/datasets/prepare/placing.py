"""Files and folders that are there as a whole or not at all, and never in place of others unasked."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from binssl.datasets.errors import DataError

PART = '.part'
_LOCK = '.lock'


def place_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` make a file beside ``path``, then put it there in one step; a kill leaves no half of it.

    The name beside is always the same, so that a run after a kill writes over what that one left.
    """
    beside = path.with_name(f'.{path.name}.tmp')
    try:
        write(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


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
            raise DataError(
                f'{os.fspath(path)!r} is there already, and another one; move it away, or give --overwrite'
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    place_file(path, lambda beside: beside.write_bytes(content))
    return f'wrote {os.fspath(path)!r}'


@contextmanager
def gathering(folder: Path) -> Iterator[Path]:
    """Gather the files of ``folder`` in ``folder.part``, which gets its name in one step when the block has ended well.

    Gives ``folder.part``: new, or as an interrupted run left it.

    Raises:
        DataError: ``folder`` is there, or another run is making it.
    """
    if folder.exists():
        raise DataError(f'{os.fspath(folder)!r} is there already and is left as it is; move it away, or choose another')
    part = folder.with_name(folder.name + PART)
    part.mkdir(parents=True, exist_ok=True)
    with open(part / _LOCK, 'wb') as lock:
        _lock(lock, part)
        try:
            yield part
        except BaseException:
            (part / _LOCK).unlink()
            with suppress(OSError):  # a run that has placed nothing leaves nothing
                part.rmdir()
            raise
        (part / _LOCK).unlink()
        part.rename(folder)


def _lock(file: IO[bytes], part: Path) -> None:
    """Holds ``part`` for this run; the system lets go of it however the run ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataError(f'another run is filling {os.fspath(part)!r} now; wait for it, or end it') from None
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):  # a file system without locks
            raise


def copy_file(source: Path, path: Path) -> None:
    """A copy of the bytes of ``source``, in a folder that is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    place_file(path, lambda beside: shutil.copyfile(source, beside))


def link_or_copy(source: Path, path: Path) -> None:
    """A hard link to ``source``, which takes no room; a copy where the file system has none. Left alone if there."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, path)
    except OSError:
        copy_file(source, path)


def check_room(folder: Path, needed_bytes: int) -> None:
    """Raises a DataError where the disk of ``folder``, which is there, has less than ``needed_bytes`` free."""
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise DataError(
            f'{os.fspath(folder)!r} has {free_bytes / 1e9:.1f} GB free, and {needed_bytes / 1e9:.1f} GB are needed; '
            'make room, or choose another place with --out'
        )
