"""Files and folders that are there as a whole or not at all, and never in place of others unasked."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from binssl.datasets.errors import DataError

PART = '.part'
_LOCK, _TEMPORARY = '.lock', '.tmp'


def place_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` make a file beside ``path``, then put it there in one step; a kill leaves no half of it.

    The name beside is another one each time, so that two runs at once do not write into one file. What a kill leaves of
    it is hidden, and removed by the next :func:`gathering` there.
    """
    beside = path.with_name(f'.{secrets.token_hex(8)}{_TEMPORARY}')
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
            raise DataError(f'{os.fspath(path)!r} is there already, and another one; move it away, or give --overwrite')
    path.parent.mkdir(parents=True, exist_ok=True)
    place_file(path, lambda beside: beside.write_bytes(content))
    return f'wrote {os.fspath(path)!r}'


@contextmanager
def gathering(folder: Path) -> Iterator[Path]:
    """Gather the files of ``folder`` in ``folder.part``, which gets its name in one step when the block has ended well.

    Gives ``folder.part``: new, or as an interrupted run left it, without its unfinished files.

    Raises:
        DataError: ``folder`` is there, or another run is making it.
    """
    _check_absent(folder)
    part = folder.with_name(folder.name + PART)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(part):
        _check_absent(folder)  # another run may just have finished it
        part.mkdir(exist_ok=True)
        for unfinished in part.rglob(f'.*{_TEMPORARY}'):
            unfinished.unlink()
        try:
            yield part
        except BaseException:
            with suppress(OSError):  # a run that has placed nothing leaves nothing
                part.rmdir()
            raise
        part.rename(folder)


def _check_absent(folder: Path) -> None:
    if folder.exists():
        raise DataError(f'{os.fspath(folder)!r} is there already and is left as it is; move it away, or choose another')


@contextmanager
def _locked(part: Path) -> Iterator[None]:
    """Holds the lock of ``part``, a file beside it that goes when the block ends."""
    path = part.with_name(part.name + _LOCK)
    while True:
        with open(path, 'wb') as file:
            _lock(file, part)
            if not _is_at(file, path):
                continue  # the run that held it has removed it: this is no longer the lock that others see
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _is_at(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


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
