"""A made-up VOC 2007 in its real layout: photos with a patch of colour for each class that is in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from binssl.datasets.voc import CLASSES

SIDE = 32


def write_voc07(root: Path, trainval: int = 60, test: int = 40, seed: int = 0) -> Path:
    """Writes ``root/VOC2007``; every class is in at least a tenth of the images of each split, rarely as difficult.

    Returns:
        ``root``, which is what VOCdevkit is.
    """
    generator = np.random.default_rng(seed)
    colours = np.random.default_rng(7).integers(60, 255, (len(CLASSES), 3))
    year = root / 'VOC2007'
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (year / folder).mkdir(parents=True)
    for split, count in (('trainval', trainval), ('test', test)):
        names = [f'{generator.integers(10**6):06d}_{split}_{place}' for place in range(count)]
        targets = made_up_targets(count, generator)
        for name, target in zip(names, targets, strict=True):
            _write_photo(year / 'JPEGImages' / f'{name}.jpg', target, colours)
            (year / 'Annotations' / f'{name}.xml').write_text('<annotation></annotation>')
        sets = year / 'ImageSets' / 'Main'
        (sets / f'{split}.txt').write_text(''.join(f'{name}\n' for name in names))
        for column, label in enumerate(CLASSES):
            lines = [f'{name} {value:2d}\n' for name, value in zip(names, targets[:, column], strict=True)]
            (sets / f'{label}_{split}.txt').write_text(''.join(lines))
    return root


def made_up_targets(count: int, generator: np.random.Generator) -> np.ndarray:
    """Targets (count, 20): 1, 0 or -1."""
    targets = np.where(generator.random((count, len(CLASSES))) < 0.08, 1, -1)
    for column in range(len(CLASSES)):
        targets[column % 10 :: 10, column] = 1
    difficult = (targets == -1) & (generator.random(targets.shape) < 0.02)
    return np.where(difficult, 0, targets)


def _write_photo(path: Path, target: np.ndarray, colours: np.ndarray) -> None:
    """A grid of 4 x 5 cells, one a class: coloured where it is in the image."""
    pixels = np.full((SIDE, 40, 3), 30, dtype=np.uint8)
    for column in np.flatnonzero(target >= 0):
        top, left = 8 * (column // 5), 8 * (column % 5)
        pixels[top : top + 8, left : left + 8] = colours[column]
    Image.fromarray(pixels).save(path, quality=95)
