"""Pascal VOC (http://host.robots.ox.ac.uk/pascal/VOC) with boxes, for detection."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from binssl.core.randomness import hash_counters, split_keys, uniforms
from binssl.datasets.decode import UNREADABLE, read_array
from binssl.datasets.splits import warn_of_size
from binssl.datasets.voc import CLASSES, PUBLISHED, REMEDY
from binssl.datasets.voc_boxes import read_annotation
from binssl.registry import DATASETS, ConfigError, DataError
from binssl.views.draws import check_probability

VOC0712 = (('VOC2007', 'trainval'), ('VOC2012', 'trainval'))
USUAL_ROOT = 'data/VOCdevkit'


@DATASETS.register_module()
class VOCDetection(Dataset):
    """Images of VOC with the boxes of their objects, whole and of their own size.

    A sample is asked for by (index, epoch), a bare index means epoch 0, and comes as ``images``, uint8 (3, H, W),
    ``boxes`` float32 (M, 4), ``labels`` int64 (M,) and ``difficult`` bool (M,), see :class:`Annotation`, and
    ``indices``. A batch has a list of N of each, and ``indices`` (N,). Difficult objects are there in training too, as
    with detectron2.

    Every annotation is read, and every image looked for, at construction. An image that cannot be decoded is an error:
    no other one has its boxes.

    Args:
        sets: (year's folder, list in its ImageSets/Main) for each part.
        root: the folder VOCdevkit. None: ``data/VOCdevkit``.
        flip_probability: of a mirrored image; (seed, epoch, index) decide. (Scales are the detector's affair.)
        seed: of the run.

    Attributes:
        classes: the names of the labels.
        paths: of the images, in order.

    Raises:
        DataError: a folder, list, image or annotation is missing, or an annotation is broken; with the file's name.
        ConfigError: no such sets or probability.
    """

    num_views = 1
    num_classes = len(CLASSES)

    def __init__(
        self,
        sets: Sequence[Sequence[str]] = VOC0712,
        root: str | Path | None = None,
        flip_probability: float = 0.0,
        seed: int = 0,
    ) -> None:
        check_probability('VOCDetection: flip_probability', flip_probability)
        if not sets or not all(len(part) == 2 and all(isinstance(word, str) for word in part) for part in sets):
            raise ConfigError(f"VOCDetection: sets are {sets!r}; give pairs such as ('VOC2007', 'trainval')")
        self.classes = list(CLASSES)
        self.flip_probability, self.seed = flip_probability, seed
        devkit = Path(USUAL_ROOT if root is None else root)
        named = [(devkit / year, name) for year, split in sets for name in _read_list(devkit, year, split)]
        self.paths = [os.fspath(folder / 'JPEGImages' / f'{name}.jpg') for folder, name in named]
        _check_images(self.paths)
        self.annotations = [read_annotation(folder / 'Annotations' / f'{name}.xml') for folder, name in named]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        indices, epochs = split_keys([key])
        index = int(indices[0])
        if not 0 <= index < len(self):
            raise IndexError(f'index {index} is not among the {len(self)} samples')
        image, known = self._read(index), self.annotations[index]
        boxes = torch.from_numpy(known.boxes.copy())
        if uniforms(hash_counters(self.seed, epochs, indices), 1)[0, 0] < self.flip_probability:
            image = image.flip(-1)
            boxes[:, [0, 2]] = image.shape[-1] - boxes[:, [2, 0]]
        return dict(
            images=image,
            boxes=boxes,
            labels=torch.from_numpy(known.labels.copy()),
            difficult=torch.from_numpy(known.difficult.copy()),
            indices=index,
        )

    def __getitems__(self, keys: Sequence[int | tuple[int, int]]) -> dict[str, Any]:
        """The batch of ``keys``: sizes differ, so that nothing but the indices is stacked."""
        samples = [self[key] for key in keys]
        batch: dict[str, Any] = {name: [sample[name] for sample in samples] for name in samples[0]}
        return dict(batch, indices=torch.tensor(batch['indices']))

    def _read(self, index: int) -> torch.Tensor:
        path, (width, height) = self.paths[index], self.annotations[index].size
        try:
            image = torch.from_numpy(read_array(path)).permute(2, 0, 1).contiguous()
        except UNREADABLE as error:
            raise DataError(f'{path!r} cannot be decoded ({error}); extract the archive of its year again') from error
        if image.shape[1:] != (height, width):
            raise DataError(
                f'{path!r} has {image.shape[2]} x {image.shape[1]} pixels, its annotation says {width} x '
                f'{height}: the boxes belong to another image'
            )
        return image


def _read_list(devkit: Path, year: str, split: str) -> list[str]:
    """The names of the images of one part."""
    file = devkit / year / 'ImageSets' / 'Main' / f'{split}.txt'
    if not file.is_file():
        raise DataError(
            f'there is no {os.fspath(file)!r} (in {os.getcwd()!r}); expected is the folder VOCdevkit that the archives '
            'of host.robots.ox.ac.uk extract to: name it by dataset.root'
        )
    names = file.read_text(encoding='utf-8').split()
    if not names:
        raise DataError(f'{os.fspath(file)!r} names no image; extract the archive of its year again')
    published = PUBLISHED.get((year, split), len(names))
    warn_of_size('VOCDetection', devkit / year, split, len(names), published, REMEDY.format(year))
    return names


def _check_images(paths: Sequence[str]) -> None:
    folders = {os.path.dirname(path) for path in paths}
    there = {folder: set(os.listdir(folder)) if os.path.isdir(folder) else set() for folder in folders}
    missing = [path for path in paths if os.path.basename(path) not in there[os.path.dirname(path)]]
    if missing:
        raise DataError(
            f'{len(missing):,} of {len(paths):,} images are missing, such as {missing[0]!r}; extract the '
            'archive of their year again'
        )
