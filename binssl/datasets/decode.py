"""From an image file to upright RGB pixels, as a PIL image or as an array."""

from __future__ import annotations

import struct
from contextlib import suppress

import cv2
import numpy as np
from PIL import Image, ImageOps

UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)

_START, _END = b'\xff\xd8', b'\xff\xd9'
_FRAMES = (0xC0, 0xC1, 0xC2)  # sequential and progressive, Huffman coded
_NO_FRAMES = (0xC4, 0xC8, 0xCC)  # in the range of the frames' markers, but tables
_MOST_PIXELS = 50_000_000  # above, Pillow has something to say


def read_image(path: str) -> Image.Image:
    """A decoded image, turned upright by its EXIF orientation, as RGB.

    Raises:
        OSError, SyntaxError, ValueError, EOFError, struct.error, DecompressionBombError: it cannot be decoded.
    """
    with Image.open(path) as image:
        image.load()
        with suppress(*UNREADABLE):  # the pixels are whole, only the EXIF data may not be
            ImageOps.exif_transpose(image, in_place=True)
        return image.convert('RGB')


def read_array(path: str) -> np.ndarray:
    """The pixels of :func:`read_image`, uint8 (H, W, 3), JPEG photos by cv2 and all else by Pillow.

    Both use libjpeg-turbo. Pillow takes over where cv2 makes another picture (CMYK, a palette, transparency, 16 bits)
    or would pass over what is missing: a truncated file.

    Raises:
        As :func:`read_image`.
    """
    content = np.fromfile(path, dtype=np.uint8)
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
