"""Files that are there whole or not at all, their hashes, and records as JSON."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import subprocess
import tarfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

#: what :func:`read_tar` raises for a damaged archive
BROKEN_TAR = (tarfile.TarError, zlib.error, EOFError, OSError)

_BLOCK = 1 << 20  # bytes read at a time
_LONGEST_NAME = 200  # bytes of a name that its temporary one repeats; file systems take 255
_LEFTOVER = re.compile(r'\.(.*)\.[0-9]+(?:\.[0-9a-f]{8})?\.tmp', re.DOTALL)
_NO_FLUSH = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.EACCES, errno.EPERM)
_MOST_BYTES = 1 << 24  # of a record or another small text
_MOST_UNPACKED = 1 << 28  # bytes; CIFAR is the largest, of 186 MB
_LARGEST = 2**53  # of a number in a record; floats have the integers up to it


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


def read_bytes(path: str | os.PathLike, most_bytes: int = _MOST_BYTES) -> bytes:
    """All of a regular file of at most ``most_bytes``; an OSError where it is another, or larger."""
    with open_regular(path) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f'has more than {most_bytes:,} bytes, and is another file', os.fspath(path))
    return content


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
        beside.unlink(missing_ok=True)  # where both are names of one file, nothing was replaced
    except BaseException:  # Ctrl-C too must leave nothing behind
        with suppress(OSError):
            beside.unlink()
        raise
    if durable:
        _flush(path.parent)


def _flush(path: Path) -> None:
    """To the disk; where the file system cannot (folders on network and FUSE ones), it is left to it when."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_FLUSH:
            raise


def name_again(path: Path, source: Path, symbolic: bool = False) -> None:
    """Give ``source`` the second name ``path`` in its folder: a link, or a copy where the file system has none."""

    def write(beside: Path) -> None:
        if symbolic:
            with suppress(OSError):
                return os.symlink(source.name, beside)
        try:
            os.link(source, beside)
        except OSError:
            shutil.copyfile(source, beside)

    replace_file(path, write, durable=not symbolic)


def remove_leftovers(folder: Path, name: str = '') -> None:
    """Remove what killed writers have left in ``folder`` (of its file ``name``); where no other one is at work."""
    for entry in folder.iterdir():
        match = _LEFTOVER.fullmatch(entry.name)
        if match and match[1].startswith(name) and not entry.is_dir():
            entry.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a small UTF-8 file by :func:`replace_file`; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, lambda beside: beside.write_text(text, encoding='utf-8'))


def write_json(path: Path, record: Mapping[str, Any] | list[Any]) -> None:
    """Write a record by :func:`replace_file`; its folder is made."""
    write_text(path, json.dumps(record, indent=1) + '\n')


def read_json(path: Path, **form: Any) -> dict[str, Any]:
    """A record; {} where there is none, or a damaged one.

    Args:
        path: the file.
        form: what its keys must hold: a type (of ``float`` any number), None, a tuple of forms of which one will do,
            ``[form]`` a list of them, ``{...: form}`` a dict of them, or ``{key: form}``. No number may be NaN, or
            beyond 2^53.
    """
    try:
        record = json.loads(read_bytes(path))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) and has_form(record, form) else {}


def has_form(value: Any, form: Any) -> bool:
    """Whether a value that was read from a file is what :func:`read_json` calls a form."""
    if isinstance(form, tuple):
        return any(has_form(value, each) for each in form)
    if isinstance(form, list):
        return isinstance(value, list) and all(has_form(each, form[0]) for each in value)
    if isinstance(form, dict):
        if not isinstance(value, dict):
            return False
        if ... in form:
            return all(has_form(each, form[...]) for each in value.values())
        return all(key in value and has_form(value[key], each) for key, each in form.items())
    if isinstance(value, bool):
        return form in (bool, object)
    if isinstance(value, (int, float)):
        return form is object or ((form is float or (form is int and type(value) is int)) and abs(value) <= _LARGEST)
    return value is None if form is None else isinstance(value, form)


def load_array(path: Path, mmap_mode: Any = None) -> np.ndarray:
    """The array of a ``.npy`` file, which may hold no objects.

    Raises:
        OSError, ValueError: it cannot be read, or is damaged, in whatever way.
    """
    try:
        with open_regular(path) as file:
            if mmap_mode is None:
                return np.lib.format.read_array(file, allow_pickle=False)
        return np.lib.format.open_memmap(path, mode=mmap_mode)
    except OSError:
        raise
    except Exception as error:  # numpy's reader of headers may raise anything
        raise ValueError(f'{os.fspath(path)!r} holds no array ({error})') from error


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
        BROKEN_TAR: it is cut off, no such archive, or would unpack to far more than the published ones.
    """
    contents: dict[str, bytes] = {}
    with (
        open_regular(archive) as packed,
        gzip.GzipFile(fileobj=packed) as unpacked,
        tarfile.open(fileobj=_Bounded(unpacked), mode='r|') as members,  # type: ignore[call-overload]
    ):
        for member in dense(members):
            name = os.path.basename(member.name)
            if name in names and (content := members.extractfile(member)):
                contents[name] = content.read()
    return contents


class _Bounded:
    """What is unpacked of a file, which is an error where it does not end in time."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self.stream, self.left = stream, _MOST_UNPACKED

    def read(self, size: int) -> bytes:
        content = self.stream.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise tarfile.ReadError(f'it unpacks to more than {_MOST_UNPACKED:,} bytes')
        return content


def dense(members: Iterable[tarfile.TarInfo]) -> Iterator[tarfile.TarInfo]:
    """Members of a tar, none of them sparse: few bytes in the archive may be terabytes of zeros."""
    for member in members:
        if member.issparse():
            raise tarfile.ReadError(f'{member.name!r} in it is sparse, which no published one is')
        yield member


def current_commit() -> str | None:
    """The commit of the code, with ``+`` where it was changed since; None outside a repository."""
    command = ['git', 'describe', '--always', '--abbrev=12', '--dirty=+', '--exclude=*']
    described = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    return described.stdout.strip() or None
