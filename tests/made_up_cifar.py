"""A made-up CIFAR-10 and CIFAR-100 of a few images, in the published formats."""

import io
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np

FORMS = ('binary', 'python')


def write_cifar10(
    root: str | Path,
    images: int = 50,
    test_images: int = 20,
    form: str = 'binary',
    archive: bool = False,
    seed: int = 0,
) -> Path:
    """Writes ``root/cifar-10-batches-bin/*.bin`` (or ``cifar-10-batches-py/``), or the ``.tar.gz`` that holds them.

    A class has a pattern of its own, under noise: a network can learn it. Labels go round: 0, 1, ..., 9, 0, ...

    Args:
        root: what the data set is given as ``root``; made if need be.
        images: of the training set, a multiple of five (there are five files).
        test_images: of the test set.
        form: ``binary`` or ``python``.
        archive: whether to write the archive instead of the folder.
        seed: of the pictures.
    """
    if images % 5:
        raise ValueError(f'{images} images cannot be shared out over five files')
    rows, labels = make_pictures(images + test_images, 10, seed)
    each = images // 5
    parts = {f'data_batch_{number + 1}': slice(number * each, (number + 1) * each) for number in range(5)}
    parts['test_batch'] = slice(images, None)
    contents = {
        name: encode_binary(rows[part], [labels[part]])
        if form == 'binary'
        else encode_python(rows[part], {b'labels': labels[part].tolist()})
        for name, part in parts.items()
    }
    folder = dict(binary='cifar-10-batches-bin', python='cifar-10-batches-py')[form]
    return write(Path(root), folder, f'cifar-10-{form}.tar.gz', suffixed(contents, form), archive)


def write_cifar100(
    root: str | Path,
    images: int = 200,
    test_images: int = 100,
    form: str = 'binary',
    archive: bool = False,
    seed: int = 0,
) -> Path:
    """The same of CIFAR-100, ``root/cifar-100-binary/`` or ``root/cifar-100-python/``; coarse = fine // 5."""
    rows, labels = make_pictures(images + test_images, 100, seed)
    contents = {}
    for name, part in (('train', slice(images)), ('test', slice(images, None))):
        fine, coarse = labels[part], labels[part] // 5
        keys = {b'fine_labels': fine.tolist(), b'coarse_labels': coarse.tolist()}
        contents[name] = (
            encode_binary(rows[part], [coarse, fine]) if form == 'binary' else encode_python(rows[part], keys)
        )
    folder = f'cifar-100-{form}'
    return write(Path(root), folder, f'{folder}.tar.gz', suffixed(contents, form), archive)


def make_pictures(count: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows uint8 (count, 3072), channel, row, column, and labels (count,)."""
    generator = np.random.RandomState(seed)
    labels = np.arange(count) % classes
    patterns = np.repeat(np.repeat(generator.uniform(40, 215, (classes, 3, 4, 4)), 8, axis=2), 8, axis=3)
    noisy = patterns[labels] + generator.normal(0, 30, (count, 3, 32, 32))
    return np.clip(noisy, 0, 255).astype(np.uint8).reshape(count, -1), labels


def encode_binary(rows: np.ndarray, labels: list[np.ndarray]) -> bytes:
    """Records: the label bytes, then the row."""
    return np.concatenate([np.stack(labels, axis=1).astype(np.uint8), rows], axis=1).tobytes()


class Python2Pickler(pickle._Pickler):  # type: ignore[name-defined]
    """Bytes become what Python 2 called a string."""

    def save_bytes(self, text: bytes) -> None:
        """SHORT_BINSTRING or BINSTRING."""
        length = b'U' + bytes([len(text)]) if len(text) < 256 else b'T' + struct.pack('<i', len(text))
        self.write(length + text)

    dispatch = {**pickle._Pickler.dispatch, bytes: save_bytes}  # type: ignore[attr-defined]


def encode_python(rows: np.ndarray, labels: dict[bytes, list[int]]) -> bytes:
    """A dictionary as Python 2 pickled it."""
    names = [b'%d.png' % number for number in range(len(rows))]
    stream = io.BytesIO()
    Python2Pickler(stream, protocol=2).dump({b'batch_label': b'made up', b'data': rows, b'filenames': names, **labels})
    return stream.getvalue().replace(b'numpy._core.', b'numpy.core.')  # where numpy was then


def suffixed(contents: dict[str, bytes], form: str) -> dict[str, bytes]:
    """File names of a form."""
    return {f'{name}.bin' if form == 'binary' else name: content for name, content in contents.items()}


def write(root: Path, folder: str, archive_name: str, contents: dict[str, bytes], archive: bool) -> Path:
    """The files, in a folder or in an archive of it."""
    root.mkdir(parents=True, exist_ok=True)
    if not archive:
        (root / folder).mkdir()
        for name, content in contents.items():
            (root / folder / name).write_bytes(content)
        return root
    with tarfile.open(root / archive_name, 'w:gz') as members:
        for name, content in contents.items():
            member = tarfile.TarInfo(f'{folder}/{name}')
            member.size = len(content)
            members.addfile(member, io.BytesIO(content))
    return root
