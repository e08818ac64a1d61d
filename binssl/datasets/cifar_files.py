"""CIFAR-10 and CIFAR-100 as Krizhevsky published them (https://www.cs.toronto.edu/~kriz/cifar.html).

Both the binary and the Python version are read, extracted or still in the ``.tar.gz``. A binary record is the label
(one byte; CIFAR-100: the coarse, then the fine one) and 3 x 32 x 32 bytes, channel, row, column. The Python version
holds the same rows in a pickled dictionary.
"""

from __future__ import annotations

import os
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from binssl.datasets.array_pickle import load_array_pickle
from binssl.registry import DataError

SITE = 'https://www.cs.toronto.edu/~kriz'
SIDE = 32
IMAGES = dict(train=50_000, test=10_000)  # of either set
_PIXELS = 3 * SIDE**2


@dataclass(frozen=True)
class CIFARVersion:
    """One published version of a set.

    Attributes:
        folder: what the archive extracts to.
        archive: the archive's name.
        md5: of the archive.
        suffix: of the data files.
    """

    folder: str
    archive: str
    md5: str
    suffix: str

    @property
    def url(self) -> str:
        """Where the archive is published."""
        return f'{SITE}/{self.archive}'


@dataclass(frozen=True)
class CIFARFiles:
    """What is published of one of the two sets.

    Attributes:
        title: CIFAR-10 or CIFAR-100.
        part: the registered data set.
        num_classes: labels lie below it.
        splits: the files of ``train`` and ``test``, without suffix.
        label_bytes: of a binary record; the last one counts.
        label_key: of a pickled dictionary.
        versions: binary, then Python.
    """

    title: str
    part: str
    num_classes: int
    splits: dict[str, tuple[str, ...]]
    label_bytes: int
    label_key: bytes
    versions: tuple[CIFARVersion, CIFARVersion]


CIFAR10_FILES = CIFARFiles(
    'CIFAR-10',
    'CIFAR10',
    10,
    dict(train=tuple(f'data_batch_{number}' for number in range(1, 6)), test=('test_batch',)),
    1,
    b'labels',
    (
        CIFARVersion('cifar-10-batches-bin', 'cifar-10-binary.tar.gz', 'c32a1d4ab5d03f1284b67883e8d87530', '.bin'),
        CIFARVersion('cifar-10-batches-py', 'cifar-10-python.tar.gz', 'c58f30108f718f92721af3b95e74349a', ''),
    ),
)
CIFAR100_FILES = CIFARFiles(
    'CIFAR-100',
    'CIFAR100',
    100,
    dict(train=('train',), test=('test',)),
    2,
    b'fine_labels',
    (
        CIFARVersion('cifar-100-binary', 'cifar-100-binary.tar.gz', '03b5dce01913d631647c71ecec9e9cb8', '.bin'),
        CIFARVersion('cifar-100-python', 'cifar-100-python.tar.gz', 'eb9058c3a382ffc7106e4002c42a8d85', ''),
    ),
)


def read_cifar(root: Path, files: CIFARFiles, split: str) -> tuple[np.ndarray, np.ndarray]:
    """The images uint8 (N, 3, 32, 32) and labels int64 (N,) of ``train`` or ``test``.

    Raises:
        DataError: if they are not in ``root``, or not whole.
    """
    found = find_version(root, files)
    if found is None:
        raise DataError(_nothing_found(root, files))
    version, place = found
    names = [f'{stem}{version.suffix}' for stem in files.splits[split]]
    if place.is_dir():
        _check_extracted(place, files, version)
        contents = {name: (place / name).read_bytes() for name in names}
    else:
        contents = _read_archive(place, names, version)
    parse = parse_binary if version is files.versions[0] else parse_pickle
    parts = [parse(contents[name], files, f'{name} of {os.fspath(place)!r}') for name in names]
    lengths = [len(labels) for _, labels in parts]
    if len(set(lengths)) > 1:
        raise DataError(
            f'the files of {os.fspath(place)!r} hold {lengths} images, and the published ones equally many: the '
            f'shorter are cut off; {_again(version)}'
        )
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return images.reshape(-1, 3, SIDE, SIDE), labels.astype(np.int64)


def find_version(root: Path, files: CIFARFiles) -> tuple[CIFARVersion, Path] | None:
    """Which version lies in ``root``, and where: its folder, ``root`` itself, or its archive."""
    for version in files.versions:
        for folder in (root / version.folder, root):
            if any((folder / name).is_file() for name in _all_names(files, version)):
                return version, folder
    for version in files.versions:
        if (root / version.archive).is_file():
            return version, root / version.archive
    return None


def _all_names(files: CIFARFiles, version: CIFARVersion) -> list[str]:
    return [f'{stem}{version.suffix}' for stems in files.splits.values() for stem in stems]


def _nothing_found(root: Path, files: CIFARFiles) -> str:
    expected = ' or '.join(f'{version.folder}/ or {version.archive}' for version in files.versions)
    message = f'no {files.title} in {os.fspath(root)!r} (from {os.getcwd()!r}): '
    for other in (CIFAR10_FILES, CIFAR100_FILES):
        if other is not files and find_version(root, other):
            message += f"it holds {other.title}, which type='{other.part}' reads; "
    return (
        f'{message}expected is {expected}. Fetch it with --download or from {files.versions[0].url}, or name its '
        'folder: --cfg-options train_dataloader.dataset.root=... (likewise for val_dataloader and test_dataloader)'
    )


def _again(version: CIFARVersion) -> str:
    return f'extract {version.archive} again, or remove what is there and use --download ({version.url})'


def _check_extracted(folder: Path, files: CIFARFiles, version: CIFARVersion) -> None:
    missing = [name for name in _all_names(files, version) if not (folder / name).is_file()]
    if missing:
        raise DataError(
            f'{os.fspath(folder)!r} lacks {", ".join(missing)} of {files.title}: it was extracted in part; '
            f'{_again(version)}'
        )


def _read_archive(archive: Path, names: list[str], version: CIFARVersion) -> dict[str, bytes]:
    """The contents of ``names``, looked for in the order in which the archive has them."""
    wanted = {f'{version.folder}/{name}': name for name in names}
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, 'r:gz') as members:
            for member in members:
                name = wanted.get(member.name.removeprefix('./'))
                if name and (content := members.extractfile(member)):
                    contents[name] = content.read()
                if len(contents) == len(names):
                    break
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise DataError(
            f'{os.fspath(archive)!r} cannot be read ({error}): it is cut off or no gzipped tar file; remove it and '
            f'use --download, or fetch {version.url} (MD5 {version.md5})'
        ) from error
    if missing := [name for name in names if name not in contents]:
        raise DataError(f'{os.fspath(archive)!r} holds no {", ".join(missing)} in {version.folder}/; {_again(version)}')
    return contents


def parse_binary(content: bytes, files: CIFARFiles, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows uint8 (N, 3072) and labels uint8 (N,) of a binary file."""
    length = files.label_bytes + _PIXELS
    if not content or len(content) % length:
        other = 2 if files.label_bytes == 1 else 1
        guess = 'the file is cut off'
        if content and len(content) % (other + _PIXELS) == 0:
            guess = f'these look like records of CIFAR-{10 if other == 1 else 100}'
        raise DataError(
            f'{where} has {len(content):,} bytes, which are no whole number of {files.title} records of {length:,} '
            f'bytes: {guess}; {_again(files.versions[0])}'
        )
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, length)
    labels = records[:, files.label_bytes - 1]
    _check_labels(labels, files, where)
    return records[:, files.label_bytes :], labels


def parse_pickle(content: bytes, files: CIFARFiles, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows uint8 (N, 3072) and labels int64 (N,) of a pickled dictionary."""
    batch = load_array_pickle(content, where, remedy=_again(files.versions[1]))
    rows, labels = (batch.get(key) if isinstance(batch, dict) else None for key in (b'data', files.label_key))
    if not isinstance(rows, np.ndarray) or not isinstance(labels, list):
        raise DataError(
            f"{where} is no dictionary with b'data' and {files.label_key!r}, as {files.title} has; "
            f'{_again(files.versions[1])}'
        )
    whole = rows.dtype == np.uint8 and rows.shape == (len(labels), _PIXELS)
    if not labels or not whole or not all(isinstance(label, int) for label in labels):
        raise DataError(
            f'{where} has data of {rows.dtype} {rows.shape} for {len(labels)} labels, not one row of {_PIXELS} bytes '
            f'each; {_again(files.versions[1])}'
        )
    array = np.array(labels, dtype=np.int64)
    _check_labels(array, files, where)
    return rows, array


def _check_labels(labels: np.ndarray, files: CIFARFiles, where: str) -> None:
    outside = ((labels < 0) | (labels >= files.num_classes)).nonzero()[0]
    if len(outside):
        raise DataError(
            f'{where}: label {labels[outside[0]]} of image {outside[0]} must lie between 0 and '
            f'{files.num_classes - 1}, the classes of {files.title}; the file is damaged or of another set'
        )
