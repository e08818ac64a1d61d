"""List files: lines ``PATH``, or lines ``PATH LABEL``, as in OpenSelfSup and BURN, and the images that they name."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from logging import WARNING
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmengine.logging import print_log

from binssl.core.files import open_regular
from binssl.datasets.file_index import UNKNOWN, FileIndex, PackedNames
from binssl.datasets.folder_files import list_folder
from binssl.registry import DataError

_LONGEST_LINE = 1 << 16  # bytes; file systems take names of 4,096
_BYTE_ORDER_MARK = b'\xef\xbb\xbf'


class ListedImages(NamedTuple):
    """What a list file says, checked for form, but not for the images' being there."""

    file: str
    names: PackedNames  # N paths
    labels: np.ndarray  # int64 (N,), all -1 where the file has none
    lines: np.ndarray  # int64 (N,), line numbers, from 1


def index_list(list_file: str | Path, folders: Sequence[str | Path], num_classes: int | None = None) -> FileIndex:
    """The images that a list file names.

    The first line tells whether the file has labels. Blank lines are skipped. Images that are named twice are trained
    on twice; the log says so.

    Args:
        list_file: the list.
        folders: what the paths may be relative to; the first that holds any of the first images is meant.
        num_classes: labels must lie below it.

    Raises:
        DataError: with line numbers, for a line of another form than the first, a label that is negative or not below
            ``num_classes``, two labels of one image, or missing images.
    """
    listed = _read_list(os.fspath(list_file), num_classes)
    folder = _find_folder(listed, folders)
    _check_images_exist(listed, folder)
    return FileIndex(folder, listed.names, listed.labels).check_readable()


def list_has_labels(list_file: str | Path) -> bool:
    """Whether the first line of a list file ends in a label."""
    return next(_read_lines(list_file))[2] is not None


def _read_list(list_file: str, num_classes: int | None) -> ListedImages:
    labels, lines, hashes = array('q'), array('q'), array('q')
    labeled = list_has_labels(list_file)
    most = np.iinfo(np.int64).max if num_classes is None else num_classes - 1

    def names() -> Iterator[bytes]:
        for line, path, label in _read_lines(list_file):
            if (label is not None) != labeled:
                told = f'{os.fsdecode(path)!r} has {"no label" if labeled else f"the label {label}"}'
                rule = 'unlike the first line; lines must all be PATH or all be PATH LABEL'
                raise DataError(f'{_where(list_file, line)}: {told}, {rule}')
            if label is not None and not 0 <= label <= most:
                rule = f'must lie between 0 and {most}'
                remedy = 'a list without labels has lines PATH alone, one of other classes needs another num_classes'
                raise DataError(f'{_where(list_file, line)}: label {label} of {os.fsdecode(path)!r} {rule}; {remedy}')
            labels.append(UNKNOWN if label is None else label)
            lines.append(line)
            hashes.append(hash(path))
            yield path

    packed = PackedNames(names())
    known, numbers, digests = (np.frombuffer(values, dtype=np.int64) for values in (labels, lines, hashes))
    listed = ListedImages(list_file, packed, known, numbers)
    _check_repeated(listed, digests)
    return listed


def _check_repeated(listed: ListedImages, hashes: np.ndarray) -> None:
    """Images that are named more than once: a warning, or an error where their labels differ."""
    order = np.argsort(hashes, kind='stable')
    twins = np.flatnonzero(hashes[order[1:]] == hashes[order[:-1]])
    pairs = [(int(order[place]), int(order[place + 1])) for place in twins]
    pairs = sorted(pair for pair in pairs if listed.names.raw(pair[0]) == listed.names.raw(pair[1]))
    for first, second in pairs:
        labels = listed.labels[[first, second]].tolist()
        if labels[0] != labels[1]:
            both = f'the label {labels[1]}, and {labels[0]} in line {listed.lines[first]}'
            where = f'{_where(listed.file, listed.lines[second])}: {listed.names[second]!r}'
            raise DataError(f'{where} has {both}; an image has one label: remove one of the lines')
    if pairs:
        first, second = pairs[0]
        such = f'{listed.names[first]!r} in lines {listed.lines[first]} and {listed.lines[second]}'
        told = f'{listed.file!r} names images more than once, on {len(pairs):,} of its lines, such as {such}'
        remedy = 'an epoch has them as often. If that is not meant: sort -u LIST > OTHER_LIST'
        print_log(f'{told}: {remedy}', logger='current', level=WARNING)


def _read_lines(list_file: str | Path) -> Iterator[tuple[int, bytes, int | None]]:
    """Line number, path and label of each line that is not blank; at least one."""
    empty = True
    try:
        with open_regular(list_file) as lines:
            for number, line in enumerate(iter(lambda: lines.readline(_LONGEST_LINE), b''), start=1):
                if len(line) == _LONGEST_LINE:
                    rule = 'a list has one image a line, with Unix line ends'
                    raise DataError(f'{_where(list_file, number)} has {_LONGEST_LINE:,} bytes or more; {rule}')
                text = (line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line).strip()
                if b'\0' in text or b'\r' in text:
                    problem = 'this is no text of one image a line, or is UTF-16, or has line ends of old Macs'
                    raise DataError(f'{_where(list_file, number)}: {problem}; save it as UTF-8 with Unix line ends')
                if text:
                    empty = False
                    yield number, *_split_label(text)
    except OSError as error:
        raise DataError(f'list file {os.fspath(list_file)!r} cannot be read: {error.strerror}') from error
    if empty:
        raise DataError(f'list file {os.fspath(list_file)!r} is empty; it should name one image a line')


def _split_label(text: bytes) -> tuple[bytes, int | None]:
    parts = text.rsplit(None, 1)
    # longer ones are numbers too, but no labels
    if len(parts) == 2 and len(parts[1]) < 20 and parts[1].lstrip(b'+-').isdigit():
        with suppress(ValueError):  # several signs
            return parts[0], int(parts[1])
    return text, None


def _where(list_file: str | Path, line: int) -> str:
    return f'{os.fspath(list_file)!r}, line {line}'


def _find_folder(listed: ListedImages, folders: Sequence[str | Path]) -> str | Path:
    """The first of the ``folders`` that holds any of the first images."""
    # more than one, so that a missing first image is not taken for another folder
    first = [listed.names[index] for index in range(min(100, len(listed.names)))]
    for folder in folders:
        if any(os.path.isfile(os.path.join(folder, name)) for name in first):
            return folder
    tried = ' or '.join(repr(os.fspath(folder)) for folder in folders)
    raise DataError(
        f'{_where(listed.file, listed.lines[0])}: {first[0]!r} is not in {tried}, nor are those of the next lines; '
        'paths in a list are relative to such a folder, and a blank or a tab separates them from the label'
    )


def _check_images_exist(listed: ListedImages, folder: str | Path) -> None:
    """Raises a DataError for listed images that are not in ``folder``, or are links to nothing."""
    missing: list[int] = []
    for parent, members in _by_parent(listed):
        there: set[bytes] = set()
        with suppress(DataError):  # the folder is not there: nor are its images
            there.update(list_folder(os.path.join(folder, os.fsdecode(parent))).files)
        start = len(parent) + 1 if parent else 0
        raw = zip(members.tolist(), listed.names.raw_of(members), strict=True)
        missing += [place for place, path in raw if path[start:] not in there]
    if missing:
        missing.sort()
        such = [f'line {listed.lines[place]}: {listed.names[place]!r}' for place in missing[:3]]
        such += ['...'] * (len(missing) > 3)
        told = f'{listed.file!r} names {len(missing)} of {len(listed.names)} images that are not in'
        raise DataError(f'{told} {os.fspath(folder)!r}, or are links to nothing: {", ".join(such)}')


def _by_parent(listed: ListedImages) -> Iterator[tuple[bytes, np.ndarray]]:
    """The folders that the paths name, each with the places of its images."""
    numbers: dict[bytes, int] = {}
    owners = np.empty(len(listed.names), dtype=np.int32)
    for place, path in enumerate(listed.names.raw_of(np.arange(len(owners)))):
        owners[place] = numbers.setdefault(path.rpartition(b'/')[0], len(numbers))
    order = np.argsort(owners, kind='stable')
    stops = np.cumsum(np.bincount(owners, minlength=len(numbers)))
    for parent, number in numbers.items():
        yield parent, order[stops[number - 1] if number else 0 : stops[number]]
