"""Looking into one image file: can it be decoded, and what does it hold."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from PIL import ExifTags, Image

from binssl.datasets.images import UNREADABLE
from binssl.registry import FUNCTIONS

_SIXTEEN_BIT = ('I', 'F')  # PIL's modes I, I;16, I;16B, ... and F


@dataclass
class FileFacts:
    """What was found in an image file.

    Attributes:
        problem: why the file cannot be used; None for a good one.
        mode: PIL's name of what the file holds, before it is made RGB.
        kind: the file's format, by its content.
        size: width and height as stored, before the EXIF orientation; (0, 0) where unknown.
        remarks: what is unusual in a good file.
    """

    problem: str | None = None
    mode: str = ''
    kind: str = ''
    size: tuple[int, int] = (0, 0)
    remarks: list[str] = field(default_factory=list)


@FUNCTIONS.register_module()  # how the commands reach it
def inspect_files(paths: Sequence[str], min_side: int = 1) -> list[FileFacts]:
    """Decode each of ``paths`` whole.

    Args:
        paths: of image files.
        min_side: a picture with a shorter side is a problem.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of large pictures and odd metadata: what counts is told as facts
        return [_inspect(path, min_side) for path in paths]


def _inspect(path: str, min_side: int) -> FileFacts:
    facts = FileFacts()
    try:
        with Image.open(path) as image:
            facts.mode, facts.kind, facts.size = image.mode, image.format or '', image.size
            facts.remarks = list(_remarks(path, image))
            image.load()
            if image.mode != 'RGB':
                image.convert('RGB')
        if min(facts.size) < min_side:
            facts.problem = f'{facts.size[0]} x {facts.size[1]} px, a side is shorter than {min_side}'
    except UNREADABLE as error:
        facts.problem = _reason(path, error)
    return facts


def _remarks(path: str, image: Image.Image) -> Iterator[str]:
    """What is unusual in a picture that was opened; a remark is the same for all files that it is true of."""
    if image.mode.startswith(_SIXTEEN_BIT):
        yield f'more than 8 bits a channel (mode {image.mode})'
    elif image.mode not in ('RGB', 'L'):
        yield f'made RGB from mode {image.mode}'
    elif image.mode == 'L':
        yield 'grayscale'
    if getattr(image, 'n_frames', 1) > 1:
        yield 'several frames, of which the first is used'
    if _orientation(image) not in (0, 1):
        yield 'turned upright by its EXIF orientation'
    named = Image.registered_extensions().get(os.path.splitext(path)[1].lower())
    if named != image.format and image.format != 'MPO':  # a JPEG with a second picture behind it
        yield f'named as {named}, holds {image.format}'


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except UNREADABLE:
        return 1  # the loader leaves such a picture as it is


def _reason(path: str, error: Exception) -> str:
    if os.path.islink(path) and not os.path.exists(path):
        return f'a link to {os.readlink(path)!r}, where nothing is'
    if isinstance(error, FileNotFoundError):
        return 'not there any more'
    if isinstance(error, PermissionError):
        return 'this user may not read it'
    if isinstance(error, Image.UnidentifiedImageError):
        return 'an empty file' if not os.path.getsize(path) else 'no image of a known format'
    return str(error).splitlines()[0] if str(error) else type(error).__name__
