"""A made-up ImageNet of a few photo-like JPEGs, in the layouts that people have."""

from pathlib import Path

import numpy as np
from PIL import Image


def make_imagenet_folder(
    root: str | Path,
    train: int = 48,
    val: int = 16,
    classes: int = 4,
    size: tuple[int, int] = (80, 60),
    lists: bool = True,
    seed: int = 0,
) -> Path:
    """Writes ``root/train/CLASS/*.JPEG``, ``root/val/CLASS/*.JPEG`` and, if asked, ``root/meta/*.txt``.

    The lists are those of OpenSelfSup and BURN: train.txt and val.txt name images, train_labeled.txt and
    val_labeled.txt images with labels, all relative to ``train/`` or ``val/``. A class has a colour.

    Args:
        root: made if need be.
        train: images of the training split, shared out over the classes.
        val: the same of the validation split.
        classes: class folders, with synset-like names.
        size: width and height.
        lists: whether to write ``meta/``.
        seed: of the pictures.
    """
    root, generator = Path(root), np.random.RandomState(seed)
    colours = generator.uniform(60, 200, (classes, 3))
    names = [f'n{1440764 + 1000 * label:08d}' for label in range(classes)]
    for split, count in (('train', train), ('val', val)):
        paths, labels = [], []
        for number in range(count):
            label = number % classes
            path = f'{names[label]}/{names[label]}_{number}.JPEG'
            write_photo(root / split / path, colours[label], size, generator)
            paths.append(path)
            labels.append(label)
        if lists:
            (root / 'meta').mkdir(parents=True, exist_ok=True)
            labeled = [f'{path} {label}' for path, label in zip(paths, labels, strict=True)]
            (root / 'meta' / f'{split}.txt').write_text('\n'.join(paths) + '\n')
            (root / 'meta' / f'{split}_labeled.txt').write_text('\n'.join(labeled) + '\n')
    return root


def write_photo(path: Path, colour: np.ndarray, size: tuple[int, int], generator: np.random.RandomState) -> None:
    """A JPEG of smooth noise about ``colour``: coarse noise, enlarged."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.clip(colour + generator.normal(0, 40, (6, 8, 3)), 0, 255).astype(np.uint8)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path, quality=90)


def truncate(path: str | Path, fraction: float = 0.5) -> None:
    """Cuts a file off, as an interrupted copy does."""
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[: int(fraction * len(content))])
