"""ImageNet's archives with a few made-up photos: tar of tars, flat tar, development kit."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

#: in the order of their ILSVRC2012_IDs, which is not that of the alphabet, as published
WNIDS = ('n02119789', 'n02100735', 'n01440764')


def jpeg(seed: int) -> bytes:
    """A small JPEG."""
    content = io.BytesIO()
    pixels = np.random.RandomState(seed).randint(0, 255, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(content, 'JPEG')
    return content.getvalue()


def tar_of(files: dict[str, bytes], mode: str = 'w') -> bytes:
    """A tar archive of files by name."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return content.getvalue()


def write_train_tar(file: Path, images: int = 3) -> dict[str, bytes]:
    """Writes the tar of tars; returns its images by where they belong, ``WNID/NAME``."""
    photos = {
        f'{wnid}/{wnid}_{number}.JPEG': jpeg(10 * place + number)
        for place, wnid in enumerate(WNIDS)
        for number in range(images)
    }
    inner = {
        f'{wnid}.tar': tar_of({name[10:]: data for name, data in photos.items() if name.startswith(wnid)})
        for wnid in WNIDS
    }
    file.write_bytes(tar_of(inner))
    return photos


def write_val_tar(file: Path, wnids: list[str]) -> dict[str, bytes]:
    """Writes the flat tar of one image for each of ``wnids``; returns its images by where they belong."""
    photos = {f'ILSVRC2012_val_{number:08d}.JPEG': jpeg(100 + number) for number in range(1, len(wnids) + 1)}
    file.write_bytes(tar_of(photos))
    return {f'{wnid}/{name}': data for wnid, (name, data) in zip(wnids, photos.items(), strict=True)}


def write_devkit(file: Path, ids: list[int], compressed: bool = True) -> None:
    """Writes the development kit: a ground truth of ``ids``, and meta.mat with the classes and one that holds them."""
    fields = [('ILSVRC2012_ID', 'O'), ('WNID', 'O'), ('words', 'O'), ('num_children', 'O'), ('children', 'O')]
    rows = [(float(number), wnid, f'class {wnid}, ünlike', 0.0, np.array([])) for number, wnid in enumerate(WNIDS, 1)]
    rows.append((4.0, 'n00001740', 'entity', 3.0, np.array([1.0, 2.0, 3.0])))
    synsets = np.array(rows, dtype=fields).reshape(-1, 1)
    meta = io.BytesIO()
    savemat(meta, dict(other=np.eye(3), synsets=synsets), do_compression=compressed)
    truth = ''.join(f'{number}\n' for number in ids).encode()
    folder = 'ILSVRC2012_devkit_t12/data'
    files = {f'{folder}/meta.mat': meta.getvalue(), f'{folder}/ILSVRC2012_validation_ground_truth.txt': truth}
    file.write_bytes(tar_of(files, 'w:gz'))
