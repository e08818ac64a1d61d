"""TinyImageNet in the usual layout: class folders for both splits."""

from __future__ import annotations

import os
from pathlib import Path

from binssl.data_tools.placing import gathering, link_or_copy
from binssl.data_tools.progress import progress_bar
from binssl.datasets.tiny_imagenet import index_train, index_val, read_classes
from binssl.registry import DataError


def sort_tiny_imagenet(root: Path, out: Path) -> list[str]:
    """Make ``out/{train,val}/WNID/IMAGE.JPEG`` of the published layout, which stays as it is.

    Published are ``train/WNID/images/`` and one ``val/images/`` with ``val_annotations.txt``. The images are hard links
    where the file system has them, so they take no room twice. A split that is there already must have the same images.

    Returns:
        What was done, one line a split.

    Raises:
        DataError: the set is not there or not whole, or ``out`` has another one.
    """
    if out.resolve() == root.resolve():
        raise DataError(f'{os.fspath(out)!r} is the published set itself, which stays as it is; choose another --out')
    classes = read_classes(root)
    lines = []
    for split, index in (('train', index_train), ('val', index_val)):
        names, labels = index(root, classes)
        moves = {f'{classes[label]}/{os.path.basename(name)}': name for name, label in zip(names, labels, strict=True)}
        folder, new = out / split, not (out / split).exists()
        if new:
            _gather(root, folder, moves)
        elif missing := [path for path in moves if not (folder / path).is_file()]:
            raise DataError(
                f'{os.fspath(folder)!r} is there, but lacks {len(missing):,} of {len(moves):,} images, such as '
                f'{missing[0]!r}; move it away to have it made again, or choose another --out'
            )
        lines.append(f'{"made" if new else "kept"} {os.fspath(folder)!r}: {len(moves):,} images')
    return lines


def _gather(root: Path, folder: Path, moves: dict[str, str]) -> None:
    with gathering(folder) as part, progress_bar(folder.name, len(moves)) as advance:
        for path, name in moves.items():
            link_or_copy(root / name, part / path)
            advance(1)
