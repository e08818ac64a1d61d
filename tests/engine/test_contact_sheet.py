"""The geometry of contact sheets."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image, ImageFont

from binssl.data_tools.browse import spread
from binssl.data_tools.contact_sheet import Layout, Sample, draw_sheet, fit, shorten, tile_side

GENERATOR = np.random.RandomState(0)


def picture(width: int, height: int) -> Image.Image:
    return Image.fromarray(GENERATOR.randint(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize(('samples', 'tiles', 'side'), [(1, 2, 128), (7, 3, 128), (12, 3, 224), (5, 9, 224)])
def test_tiles_lie_on_the_sheet_and_apart(samples, tiles, side):
    layout = Layout(samples, tiles, side)
    covered = np.zeros(layout.size[::-1], dtype=int)
    for sample, place in itertools.product(range(samples), range(tiles)):
        left, top, right, bottom = layout.tile(sample, place)
        assert (right - left, bottom - top) == (side, side)
        covered[top:bottom, left:right] += 1
    assert covered.max() == 1
    assert covered.sum() == samples * tiles * side**2


def test_small_pictures_are_enlarged_by_whole_factors():
    small = picture(8, 6)
    pixels = np.asarray(fit(small, 128))
    assert (pixels == np.asarray(small).repeat(16, axis=0).repeat(16, axis=1)).all()


def test_a_view_of_the_published_size_is_shown_pixel_by_pixel():
    view = picture(224, 224)
    assert tile_side([view]) == 224
    assert fit(view, 224) == view


def test_large_pictures_keep_their_form():
    assert fit(picture(500, 375), 224).size == (224, 168)
    assert fit(picture(10, 5000), 224).size == (1, 224)


@pytest.mark.parametrize(('sides', 'expected'), [((8, 6), 128), ((160, 96), 160), ((512,), 224)])
def test_tiles_suit_the_largest_view(sides, expected):
    assert tile_side([picture(side, side) for side in sides]) == expected


def test_a_sheet_has_each_picture_in_its_box():
    sizes = (40, 20), (64, 64), (32, 32)
    samples = [Sample(f'file {row}', 'label 1', [picture(*size) for size in sizes]) for row in range(5)]
    sheet, boxes = draw_sheet(samples, 128)
    assert [len(row) for row in boxes] == [3] * 5
    for sample, row in zip(samples, boxes, strict=True):
        for shown, box in zip(sample.pictures, row, strict=True):
            part = np.asarray(sheet.crop(box))
            factor = part.shape[0] // shown.height
            assert part.shape == (factor * shown.height, factor * shown.width, 3)
            assert (part[::factor, ::factor] == np.asarray(shown)).all()


def test_names_and_notes_stand_above_their_pictures():
    """Another name changes the pixels of its line, and no others; likewise the note."""

    def sheet(name: str, note: str) -> np.ndarray:
        samples = [Sample('first', 'label 0', [black]), Sample(name, note, [black])]
        return np.asarray(draw_sheet(samples, 128)[0])

    black = Image.new('RGB', (128, 128))
    left, top, right, _ = Layout(2, 1, 128).tile(1, 0)
    plain = sheet('one', 'label 1')
    for other, lines in ((sheet('two', 'label 1'), (top - 42, top - 28)), (sheet('one', 'label 2'), (top - 28, top))):
        rows, columns = (plain != other).any(axis=2).nonzero()
        assert lines[0] <= rows.min() <= rows.max() < lines[1]
        assert left <= columns.min() <= columns.max() < right


def test_what_cannot_be_read_leaves_its_place_marked():
    sheet, [[box, _]] = draw_sheet([Sample('a', 'b', [None, picture(128, 128)])], 128)
    part = np.asarray(sheet.crop(box))
    assert part.shape == (128, 128, 3)
    assert (part[30:] == 225).all()
    assert (part[:30] < 100).any()


def test_long_names_lose_their_beginning_and_odd_ones_are_spelled_out():
    font = ImageFont.load_default()
    short = shorten('folder/' * 30 + 'photo_7.jpg', 100, font)
    assert short.startswith('...')
    assert short.endswith('photo_7.jpg')
    assert font.getlength(short) <= 100
    assert shorten('gr\u00fcn_\udce9.jpg', 500, font) == 'gr\\xfcn_\\udce9.jpg'


@pytest.mark.parametrize(
    ('length', 'count', 'expected'),
    [(9, 3, [0, 4, 8]), (5, 1, [0]), (3, 10, [0, 1, 2]), (1437, 4, [0, 479, 957, 1436])],
)
def test_images_are_chosen_evenly(length, count, expected):
    assert spread(length, count) == expected
