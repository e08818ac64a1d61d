"""Pascal VOC (http://host.robots.ox.ac.uk/pascal/VOC) with boxes, for detection."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import torch

from binssl.core.randomness import hash_counters, uniforms
from binssl.datasets.base import ImageDataset
from binssl.datasets.checks import warn_of_size
from binssl.datasets.decode import UNREADABLE, read_array
from binssl.datasets.fingerprint import file_facts, fingerprint_of
from binssl.datasets.voc import CLASSES, PUBLISHED, REMEDY, read_ids
from binssl.registry import DATASETS, ConfigError, DataError
from binssl.views.draws import check_within

VOC0712 = (('VOC2007', 'trainval'), ('VOC2012', 'trainval'))
USUAL_ROOT = 'data/VOCdevkit'
_TOLERANCE = 1.0  # pixels over the border, as rounding makes them; the box is cut off there
_AGAIN = 'extract the archive of its year again'
_REMEDY = f'{_AGAIN}, or remove the image from the list in ImageSets/Main'


@DATASETS.register_module()
class VOCDetection(ImageDataset):
    """Images of VOC with the boxes of their objects, whole and of their own size.

    A sample comes as ``images``, uint8 (3, H, W), ``boxes`` float32 (M, 4), ``labels`` int64 (M,) and ``difficult``
    bool (M,), see :class:`Annotation`, and ``indices``. A batch has a list of N of each, and ``indices`` (N,).
    Difficult objects are there in training too, as with detectron2.

    Every annotation is read, and every image looked for, at construction. An image that cannot be decoded is an error.

    Args:
        sets: (year's folder, list in its ImageSets/Main) for each part.
        root: the folder VOCdevkit. None: ``data/VOCdevkit``.
        flip_probability: of a mirrored image; (seed, epoch, index) decide. (Scales are the detector's affair.)
        seed: of the run.

    Raises:
        DataError: a folder, list, image or annotation is missing, or an annotation is broken; with the file's name.
    """

    num_classes = len(CLASSES)

    def __init__(
        self,
        sets: Sequence[Sequence[str]] = VOC0712,
        root: str | Path | None = None,
        flip_probability: float = 0.0,
        seed: int = 0,
    ) -> None:
        check_within(self, 0, 1, flip_probability=flip_probability)
        if not sets or not all(len(part) == 2 and all(isinstance(word, str) for word in part) for part in sets):
            raise ConfigError(f"VOCDetection: sets are {sets!r}; give pairs such as ('VOC2007', 'trainval')")
        self.classes, self.flip_probability, self.seed = list(CLASSES), flip_probability, seed
        devkit = Path(USUAL_ROOT if root is None else root)
        named = []
        for year, split in sets:
            ids = read_ids(devkit, year, split)
            published = PUBLISHED.get((year, split), len(ids))
            warn_of_size('VOCDetection', devkit / year, split, len(ids), published, REMEDY.format(year))
            named += [(devkit / year, name) for name in ids]
        self.paths = [os.fspath(folder / 'JPEGImages' / f'{name}.jpg') for folder, name in named]
        if missing := [path for path in self.paths if not os.path.isfile(path)]:
            told = f'{len(missing):,} of {len(self.paths):,} images are missing, such as {missing[0]!r}'
            raise DataError(f'{told}; {_AGAIN}')
        self.annotations = [read_annotation(folder / 'Annotations' / f'{name}.xml') for folder, name in named]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        indices, epochs = self.split_keys([key])
        index = int(indices[0])
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

    def fingerprint(self) -> str:
        folder = os.path.commonpath([os.path.dirname(path) for path in self.paths])
        known = [field for annotation in self.annotations for field in sorted(vars(annotation).items())]
        facts = [fact for name, values in known for fact in (name.encode(), values)]
        return fingerprint_of(*file_facts(self.paths, folder), *facts)

    def _read(self, index: int) -> torch.Tensor:
        path, (width, height) = self.paths[index], self.annotations[index].size
        try:
            image = torch.from_numpy(read_array(path)).permute(2, 0, 1).contiguous()
        except UNREADABLE as error:
            raise DataError(f'{path!r} cannot be decoded ({error}); {_AGAIN}') from error
        if image.shape[1:] != (height, width):
            both = f'{image.shape[2]} x {image.shape[1]} pixels, its annotation says {width} x {height}'
            raise DataError(f'{path!r} has {both}: the boxes belong to another image')
        return image


@dataclass(frozen=True)
class Annotation:
    """The M objects of one image.

    Attributes:
        size: width and height of the image in pixels.
        boxes: float32 (M, 4), x1, y1, x2, y2 in pixels from the image's corner, 0 <= x1 < x2 <= width.
        labels: int64 (M,), places in VOC's 20 classes.
        difficult: bool (M,), objects that VOC neither demands nor forbids to find.
    """

    size: tuple[int, int]
    boxes: np.ndarray
    labels: np.ndarray
    difficult: np.ndarray


def read_annotation(path: str | Path) -> Annotation:
    """Read ``Annotations/ID.xml``.

    VOC counts pixels from 1 and names the first and the last of a box; here a box reaches from edge to edge, so that
    x1 = xmin - 1 and x2 = xmax. Parts of objects (heads, hands) are passed over.

    Raises:
        DataError: it is missing, no annotation, has an unknown class, or a box that is empty or outside the image.
    """
    try:
        root = ElementTree.parse(path).getroot()
        width, height = _number(root, 'size/width'), _number(root, 'size/height')
        objects = root.findall('object')
        boxes = [_box(item, width, height) for item in objects]
        labels = [_label(item) for item in objects]
    except (OSError, ElementTree.ParseError, ValueError) as error:
        raise DataError(f'{os.fspath(path)!r} cannot be read: {error}; {_REMEDY}') from error
    difficult = [(item.findtext('difficult') or '0').strip() == '1' for item in objects]
    return Annotation(
        (int(width), int(height)),
        np.array(boxes, dtype=np.float32).reshape(-1, 4),
        np.array(labels, dtype=np.int64),
        np.array(difficult, dtype=bool),
    )


def _label(item: ElementTree.Element) -> int:
    name = (item.findtext('name') or '').strip()
    if name not in CLASSES:
        raise ValueError(f"{name!r} is none of VOC's {len(CLASSES)} classes ({', '.join(CLASSES)})")
    return CLASSES.index(name)


def _box(item: ElementTree.Element, width: float, height: float) -> list[float]:
    xmin, ymin, xmax, ymax = (_number(item, f'bndbox/{name}') for name in ('xmin', 'ymin', 'xmax', 'ymax'))
    told = f'the box of {item.findtext("name")!r}, {xmin:g} {ymin:g} {xmax:g} {ymax:g},'
    if xmin > xmax or ymin > ymax:
        raise ValueError(f'{told} is empty')
    if min(xmin, ymin) < 1 - _TOLERANCE or xmax > width + _TOLERANCE or ymax > height + _TOLERANCE:
        raise ValueError(f'{told} lies outside the image of {width:g} x {height:g} pixels')
    box = [max(xmin - 1, 0.0), max(ymin - 1, 0.0), min(xmax, width), min(ymax, height)]
    if box[0] >= box[2] or box[1] >= box[3]:
        raise ValueError(f'{told} is empty within the image of {width:g} x {height:g} pixels')
    return box


def _number(item: ElementTree.Element, name: str) -> float:
    text = item.findtext(name)
    try:
        value = float(text or '')
    except ValueError:
        value = float('nan')
    if not 0 <= value < 1e6:  # neither NaN nor infinite
        raise ValueError(f'{name} of a <{item.tag}> is {text!r}, which is no number of pixels')
    return value
