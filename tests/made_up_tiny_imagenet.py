"""A made-up TinyImageNet of a few photo-like JPEGs, as published."""

from pathlib import Path

import numpy as np
from imagenet_folder import write_photo


def write_tiny_imagenet(
    root: str | Path, classes: int = 4, images: int = 6, val_images: int = 2, seed: int = 0
) -> Path:
    """Writes ``wnids.txt``, ``words.txt``, ``train/WNID/{WNID_boxes.txt,images/}`` and ``val/``.

    ``wnids.txt`` is not in alphabetical order, as the published one. A class has a colour.

    Args:
        root: what the data set is given as ``root``; made if need be.
        classes: how many.
        images: to train on, a class.
        val_images: to validate, a class.
        seed: of the pictures.
    """
    root, generator = Path(root), np.random.RandomState(seed)
    colours = generator.uniform(60, 200, (classes, 3))
    wnids = [f'n{1443537 + 1000 * label:08d}' for label in range(classes)]
    annotations = []
    for label, wnid in enumerate(wnids):
        boxes = []
        for number in range(images):
            name = f'{wnid}_{number}.JPEG'
            write_photo(root / 'train' / wnid / 'images' / name, colours[label], (64, 64), generator)
            boxes.append(f'{name}\t0\t10\t63\t58')
        (root / 'train' / wnid / f'{wnid}_boxes.txt').write_text('\n'.join(boxes) + '\n')
    for number in range(classes * val_images):
        label = number % classes
        write_photo(root / 'val' / 'images' / f'val_{number}.JPEG', colours[label], (64, 64), generator)
        annotations.append(f'val_{number}.JPEG\t{wnids[label]}\t0\t32\t44\t62')
    (root / 'val' / 'val_annotations.txt').write_text('\n'.join(annotations) + '\n')
    (root / 'wnids.txt').write_text('\n'.join(reversed(wnids)))
    (root / 'words.txt').write_text(''.join(f'{wnid}\tclass {label}\n' for label, wnid in enumerate(wnids)))
    return root
