"""A made-up VOCdevkit with boxes, in the real format: coloured rectangles on noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {'cat': (230, 40, 40), 'dog': (40, 60, 230), 'car': (40, 220, 60)}


def write_annotation(path: Path, size: tuple[int, int], objects: Sequence[tuple[str, Sequence[float], int]]) -> None:
    """Write one XML file; objects are (class, (xmin, ymin, xmax, ymax), difficult), pixels counted from 1."""
    items = ''.join(
        f'\t<object>\n\t\t<name>{name}</name>\n\t\t<pose>Unspecified</pose>\n\t\t<truncated>0</truncated>\n'
        f'\t\t<difficult>{difficult}</difficult>\n\t\t<bndbox>\n\t\t\t<xmin>{box[0]}</xmin>\n\t\t\t<ymin>{box[1]}</ymin>\n'
        f'\t\t\t<xmax>{box[2]}</xmax>\n\t\t\t<ymax>{box[3]}</ymax>\n\t\t</bndbox>\n'
        '\t\t<part>\n\t\t\t<name>head</name>\n\t\t\t<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9999</xmax><ymax>2</ymax>'
        '</bndbox>\n\t\t</part>\n\t</object>\n'
        for name, box, difficult in objects
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<annotation>\n\t<folder>{path.parts[-3]}</folder>\n\t<filename>{path.stem}.jpg</filename>\n'
        f'\t<size>\n\t\t<width>{size[0]}</width>\n\t\t<height>{size[1]}</height>\n\t\t<depth>3</depth>\n\t</size>\n'
        f'\t<segmented>0</segmented>\n{items}</annotation>\n'
    )


def make_devkit(root: Path, sets: Mapping[tuple[str, str], int], seed: int = 0, side: int = 96) -> Path:
    """Write ``root/YEAR/{JPEGImages,Annotations,ImageSets/Main}`` with so many images for each (year, split).

    An image is ``side`` pixels high and a little wider, or narrower, and holds one or two rectangles of
    :data:`COLOURS`, apart from each other; each fifth image also holds a small difficult one.
    """
    draw = np.random.RandomState(seed)
    for (year, split), count in sets.items():
        names = [f'{split}_{number:06d}' for number in range(count)]
        for number, name in enumerate(names):
            width = side + int(draw.randint(-8, 9))
            pixels = draw.randint(90, 150, (side, width, 3)).astype(np.uint8)
            objects = []
            for half in range(1 + number % 2):
                kind = list(COLOURS)[draw.randint(len(COLOURS))]
                box_width, box_height = draw.randint(24, 40), draw.randint(28, 60)
                left = half * (width // 2) + draw.randint(0, width // 2 - box_width)
                top = draw.randint(0, side - box_height)
                pixels[top : top + box_height, left : left + box_width] = COLOURS[kind]
                objects.append((kind, (left + 1, top + 1, left + box_width, top + box_height), 0))
            if number % 5 == 4:
                objects.append(('person', (1, 1, 12, 12), 1))
            write_annotation(root / year / 'Annotations' / f'{name}.xml', (width, side), objects)
            folder = root / year / 'JPEGImages'
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / f'{name}.jpg', quality=95)
        lists = root / year / 'ImageSets' / 'Main'
        lists.mkdir(parents=True, exist_ok=True)
        (lists / f'{split}.txt').write_text('\n'.join(names) + '\n')
    return root
