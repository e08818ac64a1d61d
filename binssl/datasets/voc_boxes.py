"""The annotations of Pascal VOC: which objects are in an image, and where."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from binssl.datasets.voc import CLASSES
from binssl.registry import DataError

_TOLERANCE = 1.0  # pixels over the border, as rounding makes them; the box is cut off there


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
        DataError: naming the file: it is missing, no XML or no annotation, has an unknown class, or a box that is empty
            or outside the image.
    """
    file = os.fspath(path)
    try:
        root = ElementTree.parse(file).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise DataError(f'{file!r} cannot be read as XML ({error}); {_REMEDY}') from error
    width, height = _number(root, 'size/width', file), _number(root, 'size/height', file)
    objects = root.findall('object')
    rows = [_box(item, width, height, file) for item in objects]
    return Annotation(
        (int(width), int(height)),
        np.array(rows, dtype=np.float32).reshape(-1, 4),
        np.array([_label(item, file) for item in objects], dtype=np.int64),
        np.array([(item.findtext('difficult') or '0').strip() == '1' for item in objects], dtype=bool),
    )


_REMEDY = 'extract the archive of its year again, or remove the image from the list in ImageSets/Main'


def _label(item: ElementTree.Element, file: str) -> int:
    name = (item.findtext('name') or '').strip()
    if name not in CLASSES:
        raise DataError(f"{file!r}: {name!r} is none of VOC's {len(CLASSES)} classes ({', '.join(CLASSES)}); {_REMEDY}")
    return CLASSES.index(name)


def _box(item: ElementTree.Element, width: float, height: float, file: str) -> list[float]:
    xmin, ymin, xmax, ymax = (_number(item, f'bndbox/{name}', file) for name in ('xmin', 'ymin', 'xmax', 'ymax'))
    told = f'{file!r}: the box of {item.findtext("name")!r}, {xmin:g} {ymin:g} {xmax:g} {ymax:g},'
    if xmin > xmax or ymin > ymax:
        raise DataError(f'{told} is empty; {_REMEDY}')
    if min(xmin, ymin) < 1 - _TOLERANCE or xmax > width + _TOLERANCE or ymax > height + _TOLERANCE:
        raise DataError(f'{told} lies outside the image of {width:g} x {height:g} pixels; {_REMEDY}')
    box = [max(xmin - 1, 0.0), max(ymin - 1, 0.0), min(xmax, width), min(ymax, height)]
    if box[0] >= box[2] or box[1] >= box[3]:
        raise DataError(f'{told} is empty within the image of {width:g} x {height:g} pixels; {_REMEDY}')
    return box


def _number(item: ElementTree.Element, name: str, file: str) -> float:
    text = item.findtext(name)
    try:
        value = float(text or '')
    except ValueError:
        value = float('nan')
    if not 0 <= value < 1e6:  # neither NaN nor infinite
        raise DataError(f'{file!r}: {name} of a <{item.tag}> is {text!r}, which is no number of pixels; {_REMEDY}')
    return value
