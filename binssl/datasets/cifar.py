"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009; https://www.cs.toronto.edu/~kriz/cifar.html), in memory.

Both published versions are read, extracted or still in the ``.tar.gz``. A binary record is the label (one byte;
CIFAR-100: the coarse, then the fine one) and 3 x 32 x 32 bytes, channel, row, column. The Python version holds the same
rows in a pickled dictionary; no code that a pickle names is run.
"""

from __future__ import annotations

import io
import os
import pickle
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from binssl.core.files import BROKEN_TAR, read_bytes, read_tar
from binssl.datasets.checks import warn_of_size
from binssl.datasets.in_memory import PublishedImages, nothing_found
from binssl.registry import DATASETS, DataError

SITE = 'https://www.cs.toronto.edu/~kriz'
IMAGES = dict(train=50_000, test=10_000)  # of either set
_PIXELS = 3 * 32 * 32
_MOST_BYTES = 1 << 28  # of a file; the largest published one has 155 MB


class Version(NamedTuple):
    """One published version of a set: its archive, what that extracts to, and the suffix of the files in there."""

    folder: str
    archive: str
    md5: str
    suffix: str

    @property
    def url(self) -> str:
        """Where the archive is published."""
        return f'{SITE}/{self.archive}'


class _Type:
    """What stands for ``numpy.dtype``: integers alone."""

    def __init__(self, name: Any, *_: Any) -> None:
        self.order = '='
        self.name = name.decode('ascii') if isinstance(name, bytes) else str.lstrip(name, '|')
        if not re.fullmatch('[iu][1248]', self.name):
            raise pickle.UnpicklingError(f'it holds numbers of type {self.name:.20}, not integers')

    def __setstate__(self, state: Sequence[Any]) -> None:
        order = state[1].decode('ascii') if isinstance(state[1], bytes) else state[1]
        self.order = {'<': '<', '>': '>'}.get(order, '=')


class _Array:
    """What stands for ``numpy.ndarray``: made of a type, a shape and bytes, all of which are checked."""

    def __new__(cls, *_: Any) -> _Array:
        return super().__new__(cls)

    def __setstate__(self, state: Sequence[Any]) -> None:
        _, shape, kind, by_columns, content = state
        if (
            type(kind) is not _Type
            or type(content) is not bytes
            or not all(type(side) is int and side >= 0 for side in shape)
        ):
            raise pickle.UnpicklingError('it holds an array that is not made of integers')
        values = np.frombuffer(content, dtype=kind.order + kind.name)
        self.values = values.reshape(shape, order='F' if by_columns is True else 'C')


class _Bytes:
    """How Python 3 writes bytes for Python 2."""

    def __new__(cls, text: str, _: str) -> bytes:  # type: ignore[misc]
        return text.encode('latin1')


class _Dictionary(dict):
    """Keys are names: to hash a deep nest of tuples would overrun the stack."""

    def __setitem__(self, key: Any, value: Any) -> None:
        if not isinstance(key, (bytes, str)):
            raise pickle.UnpicklingError('it has a key that is no name')
        super().__setitem__(key, value)

    def fill(self, items: Sequence[Any]) -> None:
        """Keys and values in turn."""
        for key, value in zip(items[::2], items[1::2], strict=True):
            self[key] = value


_PLAIN: dict[tuple[str, str], Any] = {
    ('numpy', 'ndarray'): _Array,
    ('numpy', 'dtype'): _Type,
    ('_codecs', 'encode'): _Bytes,
    **{(f'numpy.{core}.multiarray', '_reconstruct'): _Array for core in ('core', '_core')},
}


_Unpickler: Any = pickle._Unpickler  # that in C takes as much memory as a file asks for


class ArrayUnpickler(_Unpickler):
    """Plain values, and arrays of integers that are built here: no other name, so no code, and no more memory."""

    def _load_dictionary(self) -> None:
        items: list[Any] = self.pop_mark()
        self.append(_Dictionary())
        self.stack[-1].fill(items)

    dispatch = {
        code: load
        for code, load in _Unpickler.dispatch.items()
        if bytes([code])
        not in (pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET, pickle.EXT1, pickle.EXT2, pickle.EXT4)
    }
    dispatch[pickle.EMPTY_DICT[0]] = lambda self: self.append(_Dictionary())
    dispatch[pickle.DICT[0]] = _load_dictionary

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _PLAIN:
            raise pickle.UnpicklingError(f'it names {module}.{name}, which is no plain data')
        return _PLAIN[module, name]


def _numbers(value: Any) -> np.ndarray:
    """The array of a pickle, or of a list of integers in it."""
    if isinstance(value, _Array):
        return value.values
    if not isinstance(value, list) or not all(type(each) is int for each in value):
        raise pickle.UnpicklingError(f'a {type(value).__name__} is neither an array nor a list of integers')
    return np.array(value, dtype=np.int64)


class _CIFAR(PublishedImages):
    """What both sets do.

    Attributes:
        full_name: as the set is called by its author.
        num_classes: labels lie below it.
        files: of ``train`` and ``test``, without suffix.
        label_bytes: of a binary record; the last one counts.
        label_key: of a pickled dictionary.
        versions: binary, then Python.
    """

    splits = ('train', 'test', 'fit', 'held_out')
    full_name: str
    num_classes: int
    files: dict[str, tuple[str, ...]]
    label_bytes: int
    label_key: bytes
    versions: tuple[Version, Version]

    @classmethod
    def find(cls, root: Path) -> tuple[Version, Path] | None:
        """Which version lies in ``root``, and where: its folder, ``root`` itself, or its archive."""
        places = [(version, folder) for version in cls.versions for folder in (root / version.folder, root)]
        for version, folder in places:
            if any((folder / f'{name}{version.suffix}').is_file() for names in cls.files.values() for name in names):
                return version, folder
        archives = ((version, root / version.archive) for version in cls.versions)
        return next((found for found in archives if found[1].is_file()), None)

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        found = self.find(self.root)
        if found is None:
            raise DataError(self._nothing_found())
        version, place = found
        whole = 'test' if self.split == 'test' else 'train'
        try:
            images, labels = self._read(version, place, whole)
        except ValueError as error:
            remedy = (
                f'extract {version.archive} again, or remove it and use --download ({version.url}, MD5 {version.md5})'
            )
            raise DataError(f'{os.fspath(place)!r}: {error}; {remedy}') from error
        warn_of_size(self.kind, self.root, whole, len(labels), IMAGES[whole])
        fit = len(labels) * 4 // 5
        part = dict(fit=slice(fit), held_out=slice(fit, None)).get(self.split, slice(None))
        return images[part], labels[part]

    def _read(self, version: Version, place: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
        """All of ``train`` or ``test``; a ValueError says what is wrong with the files in ``place``."""
        whole = [f'{name}{version.suffix}' for files in self.files.values() for name in files]
        try:
            if place.is_dir():
                contents = {name: read_bytes(place / name, _MOST_BYTES) for name in whole if (place / name).is_file()}
            else:
                contents = read_tar(place, whole)
        except BROKEN_TAR as error:
            raise ValueError(f'cannot be read ({error}): cut off, or another file') from error
        if missing := [name for name in whole if name not in contents]:
            raise ValueError(f'lacks {", ".join(missing)} of {self.full_name}')
        names = [f'{name}{version.suffix}' for name in self.files[split]]
        parts = [self._parse(name, contents[name], pickled=not version.suffix) for name in names]
        lengths = [len(labels) for _, labels in parts]
        if len(set(lengths)) > 1:
            raise ValueError(f'its files hold {lengths} images, not equally many: the shorter are cut off')
        images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return images.reshape(-1, 3, 32, 32), labels.astype(np.int64)

    def _nothing_found(self) -> str:
        expected = ' or '.join(f'{version.folder}/ or {version.archive}' for version in self.versions)
        other = CIFAR100 if isinstance(self, CIFAR10) else CIFAR10
        there = f"it holds {other.full_name}, which type='{other.__name__}' reads; " if other.find(self.root) else ''
        return nothing_found(self.full_name, self.root, f'{there}expected is {expected}', self.versions[0].url)

    def _parse(self, name: str, content: bytes, pickled: bool) -> tuple[np.ndarray, np.ndarray]:
        """Rows uint8 (N, 3072) and labels (N,) of a file; a ValueError says what is wrong with it."""
        if pickled:
            try:
                batch = ArrayUnpickler(io.BytesIO(content), encoding='bytes').load()
                rows, labels = _numbers(batch[b'data']), _numbers(batch[self.label_key])
            except Exception as error:  # a damaged pickle may raise anything
                form = f"cannot be unpickled as a dictionary with b'data' and {self.label_key!r}"
                raise ValueError(f'{name} {form} ({error!r}): cut off, or another file') from error
        else:
            length, others = self.label_bytes + _PIXELS, 3 - self.label_bytes + _PIXELS
            if len(content) % length:
                guess = 'cut off' if len(content) % others else 'they look like records of the other CIFAR'
                raise ValueError(
                    f"{name} has {len(content):,} bytes, no multiple of {self.full_name}'s {length:,}: {guess}"
                )
            records = np.frombuffer(content, dtype=np.uint8).reshape(-1, length)
            rows, labels = records[:, self.label_bytes :], records[:, self.label_bytes - 1]
        fits = labels.shape == rows.shape[:1] and rows.shape[1:] == (_PIXELS,)
        if not fits or rows.dtype != np.uint8 or labels.dtype.kind not in 'iu':
            have = f'data {rows.dtype} {rows.shape} and labels {labels.dtype} {labels.shape}'
            raise ValueError(f'{name} has {have}, and not one row of {_PIXELS} bytes and one number for each image')
        if not len(labels) or not 0 <= labels.min() <= labels.max() < self.num_classes:
            have = f'labels from {labels.min()} to {labels.max()}' if len(labels) else 'no image: cut off'
            raise ValueError(f'{name} has {have}; labels of {self.full_name} lie between 0 and {self.num_classes - 1}')
        return rows, labels


@DATASETS.register_module()
class CIFAR10(_CIFAR):
    """60,000 photos of 10 classes, 32 x 32: 50,000 to train on, 10,000 to test.

    Arguments: :class:`PublishedImages`; ``split`` is ``train``, ``test``, or ``fit`` and ``held_out``, the first 80 %
    and the last 20 % of train, to choose settings on; ``root`` holds the published folder or archive, and is
    data/cifar10 if None.
    """

    full_name, default_root, num_classes = 'CIFAR-10', 'data/cifar10', 10
    files = dict(train=tuple(f'data_batch_{number}' for number in range(1, 6)), test=('test_batch',))
    label_bytes, label_key = 1, b'labels'
    versions = (
        Version('cifar-10-batches-bin', 'cifar-10-binary.tar.gz', 'c32a1d4ab5d03f1284b67883e8d87530', '.bin'),
        Version('cifar-10-batches-py', 'cifar-10-python.tar.gz', 'c58f30108f718f92721af3b95e74349a', ''),
    )


@DATASETS.register_module()
class CIFAR100(_CIFAR):
    """60,000 photos of 100 (fine) classes; otherwise as :class:`CIFAR10`. Root None: data/cifar100."""

    full_name, default_root, num_classes = 'CIFAR-100', 'data/cifar100', 100
    files = dict(train=('train',), test=('test',))
    label_bytes, label_key = 2, b'fine_labels'
    versions = (
        Version('cifar-100-binary', 'cifar-100-binary.tar.gz', '03b5dce01913d631647c71ecec9e9cb8', '.bin'),
        Version('cifar-100-python', 'cifar-100-python.tar.gz', 'eb9058c3a382ffc7106e4002c42a8d85', ''),
    )
