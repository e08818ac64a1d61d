"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009; https://www.cs.toronto.edu/~kriz/cifar.html), in memory.

Both published versions are read, extracted or still in the ``.tar.gz``. A binary record is the label (one byte;
CIFAR-100: the coarse, then the fine one) and 3 x 32 x 32 bytes, channel, row, column. The Python version holds the same
rows in a pickled dictionary; no code that a pickle names is run.
"""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from binssl.core.files import BROKEN_TAR, read_tar
from binssl.datasets.in_memory import InMemoryImages
from binssl.datasets.splits import check_split, warn_of_size
from binssl.registry import DATASETS, DataError

SITE = 'https://www.cs.toronto.edu/~kriz'
SPLITS = ('train', 'test', 'fit', 'held_out')
IMAGES = dict(train=50_000, test=10_000)  # of either set
_PIXELS = 3 * 32 * 32


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


_PLAIN: dict[tuple[str, str], Callable] = {
    ('numpy', 'ndarray'): np.ndarray,
    ('numpy', 'dtype'): np.dtype,
    ('_codecs', 'encode'): lambda text, _: text.encode('latin1'),  # how Python 3 writes bytes for Python 2
    **{(f'numpy.{core}.multiarray', '_reconstruct'): np.empty(0).__reduce__()[0] for core in ('core', '_core')},  # type: ignore[misc]
}


class ArrayUnpickler(pickle.Unpickler):
    """Knows what arrays are made of, and refuses every other name: no code can run."""

    def find_class(self, module: str, name: str) -> Callable:
        if (module, name) not in _PLAIN:
            raise pickle.UnpicklingError(f'it names {module}.{name}, which is no plain data')
        return _PLAIN[module, name]


class _CIFAR(InMemoryImages):
    """What both sets do.

    Attributes:
        full_name: as the set is called by its author.
        default_root: where it is looked for.
        num_classes: labels lie below it.
        files: of ``train`` and ``test``, without suffix.
        label_bytes: of a binary record; the last one counts.
        label_key: of a pickled dictionary.
        versions: binary, then Python.
    """

    full_name: str
    default_root: str
    num_classes: int
    files: dict[str, tuple[str, ...]]
    label_bytes: int
    label_key: bytes
    versions: tuple[Version, Version]

    def __init__(
        self,
        split: str = 'train',
        root: str | Path | None = None,
        views: Sequence | None = None,
        seed: int = 0,
        device: str = 'cpu',
    ) -> None:
        check_split(type(self).__name__, split, SPLITS)
        self.split, self.root = split, Path(self.default_root if root is None else root)
        whole = 'test' if split == 'test' else 'train'
        images, labels = self._read(whole)
        warn_of_size(type(self).__name__, self.root, whole, len(labels), IMAGES[whole])
        fit = len(labels) * 4 // 5
        part = dict(fit=slice(fit), held_out=slice(fit, None)).get(split, slice(None))
        super().__init__(torch.from_numpy(images[part]), torch.from_numpy(labels[part]), views, seed, device)

    @classmethod
    def find(cls, root: Path) -> tuple[Version, Path] | None:
        """Which version lies in ``root``, and where: its folder, ``root`` itself, or its archive."""
        places = [(version, folder) for version in cls.versions for folder in (root / version.folder, root)]
        for version, folder in places:
            if any((folder / f'{name}{version.suffix}').is_file() for names in cls.files.values() for name in names):
                return version, folder
        archives = ((version, root / version.archive) for version in cls.versions)
        return next((found for found in archives if found[1].is_file()), None)

    def _read(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """The images uint8 (N, 3, 32, 32) and labels int64 (N,) of ``train`` or ``test``."""
        found = self.find(self.root)
        if found is None:
            raise DataError(self._nothing_found())
        version, place = found
        remedy = f'extract {version.archive} again, or remove it and use --download ({version.url}, MD5 {version.md5})'
        whole = [f'{name}{version.suffix}' for names in self.files.values() for name in names]
        try:
            if place.is_dir():
                contents = {name: (place / name).read_bytes() for name in whole if (place / name).is_file()}
            else:
                contents = read_tar(place, whole)
        except BROKEN_TAR as error:
            raise DataError(
                f'{os.fspath(place)!r} cannot be read ({error}): cut off, or another file; {remedy}'
            ) from error
        if missing := [name for name in whole if name not in contents]:
            raise DataError(f'{os.fspath(place)!r} lacks {", ".join(missing)} of {self.full_name}; {remedy}')
        parts = []
        for name in (f'{name}{version.suffix}' for name in self.files[split]):
            try:
                parts.append(self._parse(contents[name], pickled=not version.suffix))
            except ValueError as error:
                raise DataError(f'{name} of {os.fspath(place)!r} {error}; {remedy}') from error
        lengths = [len(labels) for _, labels in parts]
        if len(set(lengths)) > 1:
            raise DataError(
                f'the files of {os.fspath(place)!r} hold {lengths} images, and the published ones equally many: the '
                f'shorter are cut off; {remedy}'
            )
        images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return images.reshape(-1, 3, 32, 32), labels.astype(np.int64)

    def _nothing_found(self) -> str:
        expected = ' or '.join(f'{version.folder}/ or {version.archive}' for version in self.versions)
        other = CIFAR100 if isinstance(self, CIFAR10) else CIFAR10
        there = f"it holds {other.full_name}, which type='{other.__name__}' reads; " if other.find(self.root) else ''
        return (
            f'no {self.full_name} in {os.fspath(self.root)!r} (from {os.getcwd()!r}): {there}expected is {expected}. '
            f'Fetch it with --download or from {self.versions[0].url}, or name its folder: --cfg-options '
            'train_dataloader.dataset.root=... (likewise for val_dataloader and test_dataloader)'
        )

    def _parse(self, content: bytes, pickled: bool) -> tuple[np.ndarray, np.ndarray]:
        """Rows uint8 (N, 3072) and labels (N,) of a file; a ValueError says what is wrong with it."""
        if pickled:
            try:
                batch = ArrayUnpickler(io.BytesIO(content), encoding='bytes').load()
                rows, labels = np.asarray(batch[b'data']), np.asarray(batch[self.label_key])
            except Exception as error:  # a damaged pickle may raise anything
                form = f"dictionary with b'data' and {self.label_key!r}"
                raise ValueError(f'cannot be unpickled as a {form} ({error!r}): cut off, or another file') from error
        else:
            length, others = self.label_bytes + _PIXELS, 3 - self.label_bytes + _PIXELS
            if len(content) % length:
                guess = 'cut off' if len(content) % others else 'they look like records of the other CIFAR'
                raise ValueError(f"has {len(content):,} bytes, no multiple of {self.full_name}'s {length:,}: {guess}")
            records = np.frombuffer(content, dtype=np.uint8).reshape(-1, length)
            rows, labels = records[:, self.label_bytes :], records[:, self.label_bytes - 1]
        fits = labels.shape == rows.shape[:1] and rows.shape[1:] == (_PIXELS,)
        if not fits or rows.dtype != np.uint8 or labels.dtype.kind not in 'iu':
            have = f'data {rows.dtype} {rows.shape} and labels {labels.dtype} {labels.shape}'
            raise ValueError(f'has {have}, and not one row of {_PIXELS} bytes and one number for each image')
        if not len(labels) or not 0 <= labels.min() <= labels.max() < self.num_classes:
            have = f'labels from {labels.min()} to {labels.max()}' if len(labels) else 'no image: cut off'
            raise ValueError(f'has {have}; labels of {self.full_name} lie between 0 and {self.num_classes - 1}')
        return rows, labels


@DATASETS.register_module()
class CIFAR10(_CIFAR):
    """60,000 photos of 10 classes, 32 x 32: 50,000 to train on, 10,000 to test.

    Args:
        split: ``train``, ``test``, or ``fit`` and ``held_out``, the first 80 % and the last 20 % of train, to choose
            settings on.
        root: the folder that holds the published folder or archive. None: data/cifar10.
        views, seed, device: as in :class:`InMemoryImages`.

    Raises:
        DataError: if the set is not there, is another one, or is not whole.
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
