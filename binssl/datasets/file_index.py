"""Which image files a data set has, and their labels: read from class folders or from a list file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from binssl.datasets.errors import DataError

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.ppm', '.tif', '.tiff')
UNKNOWN = -1
_LABELED_LINE = re.compile(r'(.*\S)\s+([+-]?[0-9]+)')


class PackedNames:
    """Strings in two arrays: a million of them cost a worker no copy, as a million Python objects would."""

    def __init__(self, names: Sequence[str]) -> None:
        encoded = [os.fsencode(name) for name in names]
        self._ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
        self._bytes = np.frombuffer(b''.join(encoded), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> str:
        start = self._ends[index - 1] if index else 0
        return os.fsdecode(self._bytes[start : self._ends[index]].tobytes())


@dataclass
class FileIndex:
    """Image files with labels.

    Attributes:
        folder: what the names are relative to.
        names: N file names.
        labels: int64 (N,), -1 where unknown.
        classes: names of the class folders that made the labels, where such did.
    """

    folder: str
    names: PackedNames
    labels: np.ndarray
    classes: list[str] | None = None

    def __len__(self) -> int:
        return len(self.names)

    def path(self, index: int) -> str:
        """Where the ``index``-th image is."""
        return os.path.join(self.folder, self.names[index])


def index_folder(folder: str | Path, num_classes: int | None = None) -> FileIndex:
    """The images of ``folder/CLASS/IMAGE``; a label is the class folder's place in alphabetical order.

    Raises:
        DataError: if the folder is missing or holds no class folders, one of them holds no image, or there
            are more than ``num_classes``.
    """
    if not os.path.isdir(folder):
        raise DataError(f'there is no image folder {os.fspath(folder)!r}')
    classes = class_folders(folder)
    if not classes:
        raise DataError(
            f'{os.fspath(folder)!r} holds no class folders; images are expected in CLASS/IMAGE.JPEG'
        )
    if num_classes is not None and len(classes) > num_classes:
        raise DataError(
            f'{os.fspath(folder)!r} holds {len(classes)} class folders, more than num_classes={num_classes}'
        )
    names: list[str] = []
    counts = []
    for name in classes:
        files = sorted(file for file in os.listdir(os.path.join(folder, name)) if _is_image(file))
        if not files:
            raise DataError(
                f'class folder {os.path.join(folder, name)!r} holds no image ({", ".join(IMAGE_SUFFIXES)})'
            )
        names.extend(f'{name}/{file}' for file in files)
        counts.append(len(files))
    labels = np.repeat(np.arange(len(classes)), counts)
    return FileIndex(os.fspath(folder), PackedNames(names), labels, classes)


def class_folders(folder: str | Path) -> list[str]:
    """Names of the class folders in ``folder``, in the order that makes the labels."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith('.'))


def _is_image(file: str) -> bool:
    return file.lower().endswith(IMAGE_SUFFIXES) and not file.startswith('.')


def index_list(
    list_file: str | Path, folders: Sequence[str | Path], num_classes: int | None = None
) -> FileIndex:
    """The images that a list file names: lines ``PATH``, or lines ``PATH LABEL``, as in OpenSelfSup and BURN.

    The first line tells which of the two the file has. Blank lines are skipped.

    Args:
        list_file: text.
        folders: what the paths may be relative to; the first that holds any of the first images is meant.
        num_classes: labels must lie below it.

    Raises:
        DataError: with line numbers, for a line of another form, a label out of range, or missing images.
    """
    entries = read_list(list_file, num_classes)
    folder = _find_folder(list_file, entries, folders)
    _check_files_exist(list_file, entries, folder)
    return FileIndex(
        os.fspath(folder),
        PackedNames([entry.path for entry in entries]),
        np.array([entry.label for entry in entries], dtype=np.int64),
    )


class ListEntry(NamedTuple):
    """One line of a list file; ``label`` is -1 where the file has none."""

    line: int
    path: str
    label: int


def list_has_labels(list_file: str | Path) -> bool:
    """Whether the first line of a list file ends in a label."""
    return next(_read_lines(list_file))[2] is not None


def read_list(list_file: str | Path, num_classes: int | None = None) -> list[ListEntry]:
    """The entries of a list file, checked for form and labels, but not for the images' being there."""
    most = np.iinfo(np.int64).max if num_classes is None else num_classes - 1
    entries: list[ListEntry] = []
    labeled = list_has_labels(list_file)
    for line, path, label in _read_lines(list_file):
        where = f'{os.fspath(list_file)!r}, line {line}'
        if (label is not None) != labeled:
            raise DataError(
                f'{where}: {path!r} has {"no label" if labeled else f"the label {label}"}, unlike the first '
                f'line; lines must all be PATH or all be PATH LABEL'
            )
        if label is not None and not 0 <= label <= most:
            raise DataError(
                f'{where}: label {label} of {path!r} must lie between 0 and {most}; a list of images without '
                'labels has lines PATH alone, and one of other classes needs another num_classes'
            )
        entries.append(ListEntry(line, path, UNKNOWN if label is None else label))
    return entries


def _read_lines(list_file: str | Path) -> Iterator[tuple[int, str, int | None]]:
    """Line number, path and label of each line that is not blank; at least one."""
    empty = True
    try:
        # names of other encodings survive as surrogates, and os.fsencode gives their bytes back
        with open(list_file, encoding='utf-8', errors='surrogateescape') as lines:
            for number, line in enumerate(lines, start=1):
                if text := line.strip():
                    empty = False
                    match = _LABELED_LINE.fullmatch(text)
                    yield (number, match[1], int(match[2])) if match else (number, text, None)
    except OSError as error:
        raise DataError(f'list file {os.fspath(list_file)!r} cannot be read: {error.strerror}') from error
    if empty:
        raise DataError(f'list file {os.fspath(list_file)!r} is empty; it should name one image a line')


def _find_folder(
    list_file: str | Path, entries: Sequence[ListEntry], folders: Sequence[str | Path]
) -> str | Path:
    for folder in folders:
        # more than one, so that a missing first image is not taken for another folder
        if any(os.path.isfile(os.path.join(folder, entry.path)) for entry in entries[:100]):
            return folder
    first = entries[0]
    tried = ' or '.join(repr(os.fspath(folder)) for folder in folders)
    raise DataError(
        f'{os.fspath(list_file)!r}, line {first.line}: {first.path!r} is not in {tried}, and nor are the '
        f'images of the next lines; paths in a list are relative to such a folder'
    )


def _check_files_exist(list_file: str | Path, entries: Sequence[ListEntry], folder: str | Path) -> None:
    """Raises for listed images that are not there; lists each folder once instead of asking for each file."""
    by_parent: dict[str, list[ListEntry]] = {}
    for entry in entries:
        by_parent.setdefault(os.path.dirname(entry.path), []).append(entry)
    missing: list[ListEntry] = []
    for parent, members in by_parent.items():
        try:
            there = set(os.listdir(os.path.join(folder, parent)))
        except OSError:
            there = set()
        missing += [entry for entry in members if os.path.basename(entry.path) not in there]
    if missing:
        missing.sort()
        named = ', '.join(f'line {entry.line}: {entry.path!r}' for entry in missing[:3])
        raise DataError(
            f'{os.fspath(list_file)!r} names {len(missing)} of {len(entries)} images that are not in '
            f'{os.fspath(folder)!r}: {named}{", ..." if len(missing) > 3 else ""}'
        )
