"""Contact sheets: pictures of samples in rows, each with its views beside it and its name above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

SHEET_WIDTH = 1400  # a sheet is this wide, or as wide as one sample
SHEET_ROWS = 12
SMALLEST_TILE, LARGEST_TILE = 128, 224
_LINE, _GAP, _MARGIN = 14, 4, 16
_PAPER, _INK, _PALE, _VOID = (255, 255, 255), (0, 0, 0), (110, 110, 110), (225, 225, 225)

Box = tuple[int, int, int, int]


@dataclass
class Sample:
    """What a sheet shows of a sample: two lines of text, ``name`` and ``note``, above its pictures.

    Attributes:
        pictures: the original, None where it cannot be read, then the views.
        titles: what stands above each picture; None: which is the original and which view.
    """

    name: str
    note: str
    pictures: list[Image.Image | None]
    titles: list[str] | None = None


@dataclass(frozen=True)
class Layout:
    """Where everything stands on a sheet of so many ``samples``, each of ``tiles`` pictures, ``side`` px square."""

    samples: int
    tiles: int
    side: int

    @property
    def sample_size(self) -> tuple[int, int]:
        """Width and height that a sample takes, margins included."""
        return self.tiles * (self.side + _GAP) + _MARGIN, 3 * _LINE + self.side + _MARGIN

    @property
    def per_row(self) -> int:
        """Samples side by side."""
        return max(1, SHEET_WIDTH // self.sample_size[0])

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the sheet."""
        width, height = self.sample_size
        rows = -(-self.samples // self.per_row)
        return min(self.samples, self.per_row) * width + _MARGIN, rows * height + _MARGIN

    def corner(self, sample: int) -> tuple[int, int]:
        """Left and top of the ``sample``-th sample's texts."""
        (row, column), (width, height) = divmod(sample, self.per_row), self.sample_size
        return _MARGIN + column * width, _MARGIN + row * height

    def tile(self, sample: int, place: int) -> Box:
        """Left, top, right and bottom of a sample's ``place``-th tile."""
        left, top = self.corner(sample)
        left, top = left + place * (self.side + _GAP), top + 3 * _LINE
        return left, top, left + self.side, top + self.side


def tile_side(views: Sequence[Image.Image]) -> int:
    """A side that shows the largest of ``views`` pixel by pixel, where that is neither tiny nor huge."""
    return min(LARGEST_TILE, max(SMALLEST_TILE, *(max(view.size) for view in views)))


def fit(picture: Image.Image, side: int) -> Image.Image:
    """``picture`` at the size at which a tile shows it: enlarged by a whole factor, pixels sharp, or made smaller."""
    longer = max(picture.size)
    if side >= longer:
        return picture.resize([side // longer * length for length in picture.size], Image.Resampling.NEAREST)
    size = [max(1, round(side / longer * length)) for length in picture.size]
    return picture.resize(size, Image.Resampling.LANCZOS)


def draw_sheet(samples: Sequence[Sample], side: int) -> tuple[Image.Image, list[list[Box]]]:
    """The sheet of ``samples``, and for each sample the boxes of its pictures: left, top, right, bottom."""
    layout = Layout(len(samples), len(samples[0].pictures), side)
    sheet = Image.new('RGB', layout.size, _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default()
    boxes = []
    for number, sample in enumerate(samples):
        left, top = layout.corner(number)
        width = layout.sample_size[0] - _MARGIN
        draw.text((left, top), shorten(sample.name, width, font), _INK, font)
        draw.text((left, top + _LINE), shorten(sample.note, width, font), _INK, font)
        titles = sample.titles or ['original', *(f'view {place}' for place in range(1, len(sample.pictures)))]
        row: list[Box] = []
        for place, (picture, title) in enumerate(zip(sample.pictures, titles, strict=True)):
            left, top, right, bottom = layout.tile(number, place)
            draw.text((left, top - _LINE), shorten(title, side, font), _PALE, font)
            draw.rectangle((left, top, right - 1, bottom - 1), fill=_VOID)
            if picture is None:
                draw.text((left + _GAP, top + _GAP), 'cannot be read', _INK, font)
            else:
                shown = fit(picture, side)
                sheet.paste(shown, (left, top))
                right, bottom = left + shown.width, top + shown.height
            row.append((left, top, right, bottom))
        boxes.append(row)
    return sheet, boxes


def shorten(text: str, width: int, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    """``text`` in ASCII, its beginning left out where it is wider than ``width`` px: ends tell files apart."""
    shown = text = text.encode('ascii', 'backslashreplace').decode()
    while text and font.getlength(shown) > width:
        text = text[1:]
        shown = f'...{text}'
    return shown
