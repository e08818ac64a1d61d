"""Which files a data set has, remembered from one start to the next, as long as the folders stay as they were."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from binssl.datasets.packed_names import PackedNames

VERSION = 2
FOLDER = '.binssl_index'  # hidden: no data set takes it for a class
LEAST_IMAGES = 10_000  # fewer are listed in no time
SETTLED_SECONDS = 2.0  # a clock of a file system may be no finer
DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
_MISSING = (-1, -1, -1)

Arrays = dict[str, np.ndarray]


class Watch:
    """Folders and files that an index depends on, each with its state just before it was read.

    A state is (time of the content's change, of the entry's change, size) by ``os.stat``: adding, removing or renaming
    a file changes both times of its folder. A file that is overwritten in place, or whose name is a link that loses
    what it leads to, stays the same entry of the index: the second is met as a bad image when it is read.

    Args:
        roots: absolute or relative paths; what is watched is named by a root's number and a path below it.
    """

    def __init__(self, roots: Sequence[str | Path]) -> None:
        self.roots = [os.fspath(root) for root in roots]
        self.unsettled: str | None = None  # a path that may change unseen, and why
        self._owners: list[int] = []
        self._names: list[str] = []
        self._states: list[tuple[int, int, int]] = []

    def add(self, root: int, name: str = '') -> None:
        """Watch ``name`` below a root, or the root itself; to be called before it is read."""
        state = _state(self.roots[root], name)
        self._owners.append(root)
        self._names.append(name)
        self._states.append(state)
        reason = _why_unsettled(state)
        if reason and self.unsettled is None:
            self.unsettled = f'{_path(self.roots[root], name)!r} {reason}'

    def arrays(self) -> Arrays:
        """What :func:`is_true` needs to know."""
        content, ends = PackedNames(self._names).arrays()
        states = np.array(self._states, dtype=np.int64).reshape(-1, 3)
        owners = np.array(self._owners, dtype=np.int64)
        return dict(watched_content=content, watched_ends=ends, watched_roots=owners, watched_states=states)


def is_true(arrays: Mapping[str, np.ndarray], roots: Sequence[str | Path]) -> bool:
    """Whether everything that was watched is as it was; one ``stat`` each."""
    names = PackedNames.from_arrays(arrays['watched_content'], arrays['watched_ends'])
    owners, states = arrays['watched_roots'].tolist(), arrays['watched_states'].tolist()
    return all(
        tuple(state) == _state(roots[owner], names[place])
        for place, (owner, state) in enumerate(zip(owners, states, strict=True))
    )


def _path(root: str | Path, name: str) -> str:
    return os.path.join(root, name) if name else os.fspath(root)  # a root may be a file


def _state(root: str | Path, name: str) -> tuple[int, int, int]:
    try:
        status = os.stat(_path(root, name))
    except (OSError, ValueError):
        return _MISSING
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size


def _why_unsettled(state: tuple[int, int, int]) -> str | None:
    """Why what has this state may change unseen; None where a change will show."""
    newest, now = max(state[:2]), time.time_ns()
    if state != _MISSING and newest <= 0:
        return 'is on a file system that keeps no times'
    if newest > now:
        return 'has a time in the future (mend it with touch, or set the clock)'
    if newest >= now - int(SETTLED_SECONDS * 1e9):  # it may change again within the same tick of the clock
        return 'changed just now'
    return None


def remember(kind: str, roots: Sequence[str | Path], scan: Callable[[Watch], Arrays]) -> Arrays:
    """What ``scan`` gives, from the file that keeps it where that is still true.

    The file is in a hidden folder beside the first root or, where that cannot be written to, in ~/.cache/binssl. It is
    written as a whole or not at all, by each process that finds none. What changed less than two seconds before it
    was read, or has a time in the future, is not kept, and the log says so.

    Args:
        kind: how the roots are scanned; part of the file's name, as the roots are.
        roots: what is scanned.
        scan: the arrays of an index, ``labels`` (N,) among them; tells the watch of all that it reads.
    """
    for file in _files(kind, roots):
        kept = _read(file, roots)
        if kept is not None:
            print_log(f'{len(kept["labels"]):,} images by the index in {os.fspath(file)!r}, still true', 'current')
            return kept
    watch = Watch(roots)
    arrays = scan(watch)
    if len(arrays['labels']) < LEAST_IMAGES:
        return arrays
    if watch.unsettled is not None:
        print_log(f'the index of {len(arrays["labels"]):,} images is not kept: {watch.unsettled}', 'current')
    else:
        content = {**arrays, **watch.arrays(), 'version': np.array(VERSION)}
        if not any(_write(file, content) for file in _files(kind, roots)):
            print_log('the index of the images can be kept nowhere: they are listed at every start', 'current')
    return arrays


def _files(kind: str, roots: Sequence[str | Path]) -> Iterator[Path]:
    """Where the index may be kept, the best place first."""
    first = Path(os.path.abspath(roots[0]))
    home = Path(os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'binssl')
    # a user without a home has '~' here
    for place in (first.parent / FOLDER, *([home] if home.is_absolute() else [])):
        # relative: the data may be mounted elsewhere the next time
        parts = [kind, *(os.path.relpath(root, place) for root in roots)]
        digest = hashlib.sha256(b'\0'.join(map(os.fsencode, parts))).hexdigest()[:16]
        yield place / f'{first.name}_{digest}.npz'


def _read(file: Path, roots: Sequence[str | Path]) -> Arrays | None:
    """The arrays in ``file``; None where it is missing, damaged, of another version or no longer true."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            if int(stored['version']) != VERSION or not is_true(stored, roots):
                return None
            return {name: stored[name] for name in stored.files if not name.startswith('watched_')}
    except DAMAGED:
        return None


def _write(file: Path, arrays: Arrays) -> bool:
    """Whether ``file`` could be written."""
    part = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=file.stem, suffix='.part', delete=False) as opened:
            part = Path(opened.name)
            save: Any = np.savez  # its stubs take the arrays for its options
            save(opened, **arrays)
        part.chmod(0o644)  # temporary files are readable by their owner alone
        part.replace(file)
    except OSError:
        if part is not None:
            part.unlink(missing_ok=True)
        return False
    return True
