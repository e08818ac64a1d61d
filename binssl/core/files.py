"""Files that are there whole or not at all, their hashes, and records as JSON."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import stat
import subprocess
import tarfile
import zlib
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

#: what :func:`read_tar` raises for a damaged archive
BROKEN_TAR = (tarfile.TarError, zlib.error, EOFError, OSError)

_BLOCK = 1 << 20  # bytes read at a time
_LONGEST_NAME = 200  # bytes of a name that its temporary one repeats; file systems take 255


def open_regular(path: str | os.PathLike) -> IO[bytes]:
    """A regular file, opened to be read.

    Raises:
        OSError: it cannot be read, or is none: a pipe or a device could keep us waiting for ever, or never end.
    """
    kind = stat.S_IFMT(os.stat(path).st_mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR):  # before it is opened, which some devices take for a command
        raise OSError(errno.EINVAL, 'is no regular file', os.fspath(path))
    # a pipe that has come in its place does not block
    return open(path, 'rb', opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))


def replace_file(path: Path, write: Callable[[Path], object], durable: bool = True) -> None:
    """Let ``write`` make a file beside ``path``, then give it that name in one step.

    Whoever reads ``path`` sees the old file or the new one, whole, also after a kill. What a kill leaves is hidden:
    see :func:`remove_leftovers`.

    Args:
        path: its folder is there.
        write: makes the file (or link) at the path that it is given.
        durable: also after a power cut: the content is flushed to the disk before the name is given, and the name
            after. False where a million small files would wait for it.

    Raises:
        OSError: the disk is full, read-only or the like; ``path`` is as it was.
    """
    name = os.fsdecode(os.fsencode(path.name)[:_LONGEST_NAME])
    beside = path.with_name(f'.{name}.{os.getpid()}.{secrets.token_hex(4)}.tmp')
    try:
        write(beside)
        if durable:
            _flush(beside)
        os.replace(beside, path)
    except BaseException:  # Ctrl-C too must leave nothing behind
        with suppress(OSError):
            beside.unlink()
        raise
    if durable:
        _flush(path.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path, name: str = '') -> None:
    """Remove what killed writers have left in ``folder`` (of its file ``name``); where no other one is at work."""
    for entry in folder.iterdir():
        if entry.name.startswith(f'.{name}.' if name else '.') and entry.name.endswith('.tmp'):
            entry.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a small UTF-8 file by :func:`replace_file`; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, lambda beside: beside.write_text(text, encoding='utf-8'))


def write_json(path: Path, record: Mapping[str, Any] | list[Any]) -> None:
    """Write a record by :func:`replace_file`; its folder is made."""
    write_text(path, json.dumps(record, indent=1) + '\n')


def read_json(path: Path) -> dict[str, Any]:
    """A record; {} where there is none, or a broken one."""
    try:
        record = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def file_sha256(path: str | os.PathLike) -> str:
    """The SHA-256 of a file's bytes, as 64 hex digits."""
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def read_tar(archive: Path, names: Collection[str]) -> dict[str, bytes]:
    """The contents of those files of a ``.tar.gz`` that have one of ``names``, whatever folder they are in.

    Raises:
        BROKEN_TAR: it is cut off, or no such archive.
    """
    contents: dict[str, bytes] = {}
    with tarfile.open(archive, 'r:gz') as members:
        for member in members:  # in the archive's order: to go back is to unpack all again
            name = os.path.basename(member.name)
            if name in names and (content := members.extractfile(member)):
                contents[name] = content.read()
    return contents


def current_commit() -> str | None:
    """The commit of the code, with ``+`` where it was changed since; None outside a repository."""
    command = ['git', 'describe', '--always', '--abbrev=12', '--dirty=+', '--exclude=*']
    described = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    return described.stdout.strip() or None
