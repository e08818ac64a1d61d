"""From an image file to upright RGB pixels, as a PIL image or as an array."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import IO

import cv2
import numpy as np
from PIL import Image, ImageOps

from binssl.core.files import open_regular
from binssl.datasets.folder_files import IMAGE_SUFFIXES

#: Pillow's names of what may be in an image file, whatever its suffix: Pillow starts programs for others. GIFs come
#: from the web under other suffixes
FORMATS = tuple(sorted({'GIF', *(Image.registered_extensions().get(suffix, 'PNG') for suffix in IMAGE_SUFFIXES)}))
with suppress(ValueError):  # nor may the data set of a library, which opens its files itself
    Image.ID.remove('EPS')

UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)

_START, _END = b'\xff\xd8', b'\xff\xd9'
_FRAMES = (0xC0, 0xC1, 0xC2)  # sequential and progressive, Huffman coded
_NO_FRAMES = (0xC4, 0xC8, 0xCC)  # in the range of the frames' markers, but tables
_BITS, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # TIFF 6.0, section 8
_MOST_PIXELS = 50_000_000  # above, Pillow has something to say


def read_image(path: str) -> Image.Image:
    """A decoded image, turned upright by its EXIF orientation, as :func:`to_rgb` makes it.

    Raises:
        OSError, SyntaxError, ValueError, EOFError, struct.error, DecompressionBombError: it cannot be decoded.
    """
    with open_regular(path) as file, open_image(file) as image:
        image.load()
        with suppress(*UNREADABLE):  # the pixels are whole, only the EXIF data may not be
            ImageOps.exif_transpose(image, in_place=True)
        return to_rgb(image)


def open_image(file: IO[bytes]) -> Image.Image:
    """The picture in ``file``, of one of the ``FORMATS``; its header alone is read yet."""
    return Image.open(file, formats=FORMATS)


def to_rgb(image: Image.Image) -> Image.Image:
    """``image`` with 8 bits a channel; 16 of them are scaled, so that white stays white.

    Raises:
        ValueError: nothing says which of its numbers is white.
    """
    if image.mode not in ('I', 'F') and not image.mode.startswith('I;'):
        return image.convert('RGB')  # of 16 bits in three channels Pillow has taken the upper ones
    tags = getattr(image, 'tag_v2', {})  # a TIFF's
    if image.mode == 'F' or (image.mode == 'I' and image.format not in ('PNG', 'PPM')):
        told = f'has mode {image.mode}, 32 bits or signed numbers, of which nothing says what is black and white'
        raise ValueError(f'{told}: save it with 8 bits, or with 16 unsigned')
    white = (1 << tags.get(_BITS, (16,))[0]) - 1
    levels = (np.asarray(image).astype(np.uint32) * 255 + white // 2) // white
    levels = 255 - levels if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else levels
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8)).convert('RGB')


def read_array(path: str) -> np.ndarray:
    """The pixels of :func:`read_image`, uint8 (H, W, 3), JPEG photos by cv2 and all else by Pillow.

    Both use libjpeg-turbo. Pillow takes over where cv2 makes another picture (CMYK, a palette, transparency, 16 bits)
    or would pass over what is missing: a truncated file.

    Raises:
        As :func:`read_image`.
    """
    with open_regular(path) as file:
        content = np.fromfile(file, dtype=np.uint8)
    pixels = _decode_jpeg(content) if is_plain_jpeg(content.data) else None
    return np.array(read_image(path)) if pixels is None else pixels


def _decode_jpeg(content: np.ndarray) -> np.ndarray | None:
    """RGB, turned upright; None where cv2 cannot."""
    flag = getattr(cv2, 'IMREAD_COLOR_RGB', cv2.IMREAD_COLOR)  # older releases give BGR alone
    try:
        pixels = cv2.imdecode(content, flag)
    except cv2.error:
        return None
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB) if pixels is not None and flag == cv2.IMREAD_COLOR else pixels


def is_plain_jpeg(content: bytes | memoryview) -> bool:
    """Whether a file is a JPEG with an end, 8 bits deep, gray or in three colours: by its headers (ITU-T T.81, B)."""
    if bytes(content[:2]) != _START or bytes(content[-2:]) != _END:
        return False
    place = 2
    while place + 9 < len(content) and content[place] == 0xFF:
        marker, (length,) = content[place + 1], struct.unpack_from('>H', content, place + 2)
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAMES:
            bits, height, width, channels = struct.unpack_from('>BHHB', content, place + 4)
            return marker in _FRAMES and bits == 8 and channels in (1, 3) and 0 < height * width <= _MOST_PIXELS
        place += 1 if marker == 0xFF else 2 + length  # 0xFF may fill up
    return False
