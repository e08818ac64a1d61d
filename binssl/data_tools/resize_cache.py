"""A copy of an image folder with the shorter sides made smaller: quicker to decode, and another training set."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from binssl.core.console import progress_bar
from binssl.core.files import read_bytes, read_json, replace_file, write_json
from binssl.data_tools.placing import copy_file, gathering
from binssl.datasets.decode import UNREADABLE, read_image
from binssl.datasets.folder_files import IMAGE_SUFFIXES
from binssl.registry import ConfigError, DataError

SETTINGS, BAD_FILES = 'resize_cache.json', 'bad_files.txt'
NOTE = (
    'note: training crops from this cache are not those of the originals. A crop of 8 % of a 500 x 375 photo has '
    '122 px a side, and of its 341 x 256 copy 84: scaled up to 224 px it is softer, and coded as JPEG twice. Published '
    'numbers are of originals; say so beside a number that was trained from a cache'
)
_CHUNK = 256
#: the line of a bad file: name, tab, reason. A name may hold tabs and line breaks, but ends as images do
_BAD_LINE = re.compile(rf'(.+?(?:{"|".join(map(re.escape, IMAGE_SUFFIXES))}))\t([^\t\n]*)\n', re.DOTALL | re.IGNORECASE)


def make_cache(source: Path, out: Path, size: int = 256, quality: int = 95, workers: int = 1) -> list[str]:
    """Copy every image of ``source`` to the same name below ``out``, with a shorter side of at most ``size`` px.

    Larger images are resized bilinearly with antialiasing, as torchvision's ``Resize(size)`` does with a PIL image, and
    saved as RGB JPEG, upright, whatever their suffix, so that lists of names stay true. Smaller ones and those that
    cannot be decoded are copied as they are; the latter are named in ``out/bad_files.txt``. ``.txt`` and ``.csv``
    files, which may be lists, are copied too. All gather in ``out.part`` until all are there; a run after an
    interruption passes by what has been placed.

    Args:
        source: a folder with images at any depth; links to folders are followed.
        out: where to.
        size: in pixels.
        quality: of the JPEG coding, 1 to 95.
        workers: threads; decoding, resizing and coding run side by side.

    Returns:
        What was done, and what it means, one line each.
    """
    if size < 1 or not 1 <= quality <= 95 or workers < 1:
        raise ConfigError(f'size {size} and workers {workers} must be at least 1, quality {quality} between 1 and 95')
    inner, outer = source.resolve(), out.resolve()
    if inner == outer or inner in outer.parents or outer in inner.parents:
        raise DataError(f'{os.fspath(source)!r} and {os.fspath(out)!r} lie one in the other; choose another --out')
    files = list(_walk(source))
    names = [name for name in files if name.lower().endswith(IMAGE_SUFFIXES)]
    if not names:
        raise DataError(f'{os.fspath(source)!r} holds no image ({", ".join(IMAGE_SUFFIXES)})')
    settings = dict(size=size, quality=quality, resize='bilinear, antialiased', note=NOTE)
    if out.exists():
        _check_settings(out, settings)
        bad = _read_bad(out)
        if missing := [name for name in names if name not in bad and not (out / name).is_file()]:
            told = f'lacks {len(missing):,} of {len(names):,} images of {os.fspath(source)!r}, such as {missing[0]!r}'
            raise DataError(f'{os.fspath(out)!r} is there, but {told}; move it away to have it made again')
        return [f'kept {os.fspath(out)!r}: {len(names):,} images', NOTE]
    with gathering(out) as part:
        if not (part / SETTINGS).exists():
            write_json(part / SETTINGS, settings)
        _check_settings(part, settings)
        bad = _resize_all(names, source, part, size, quality, workers)
        for name in files:
            if name.endswith(('.txt', '.csv')):
                copy_file(source / name, part / name)
    lines = [f'made {os.fspath(out)!r}: {len(names):,} images', NOTE]
    if bad:
        name, reason = min(bad.items())
        listing = os.fspath(out / BAD_FILES)
        lines.insert(1, f'warning: {len(bad):,} cannot be decoded, see {listing!r}, such as {name!r}: {reason}')
    return lines


def shorter_side(width: int, height: int, size: int) -> tuple[int, int]:
    """Width and height with the shorter at ``size``, the longer rounded down, as torchvision does."""
    return (size, int(size * height / width)) if width <= height else (int(size * width / height), size)


def _resize_all(
    names: Sequence[str], source: Path, part: Path, size: int, quality: int, workers: int
) -> dict[str, str]:
    """Place all that is not there; returns names of the bad files and why, written down before they are copied."""
    bad = _read_bad(part)
    resize = partial(_resize_one, source, part, size, quality)
    with ThreadPoolExecutor(workers) as pool, progress_bar('images', len(names)) as advance:
        # in chunks: a million futures at once would take a gigabyte, and Ctrl-C would wait for all
        for start in range(0, len(names), _CHUNK):
            chunk = names[start : start + _CHUNK]
            reasons = zip(chunk, pool.map(resize, chunk), strict=True)
            bad |= {name: reason for name, reason in reasons if reason is not None}
            advance(len(chunk))
    if bad:
        text = ''.join(f'{name}\t{reason}\n' for name, reason in sorted(bad.items())).encode('utf-8', 'surrogateescape')
        replace_file(part / BAD_FILES, lambda beside: beside.write_bytes(text))
    for name in bad:
        if os.access(source / name, os.R_OK):
            copy_file(source / name, part / name)
    return bad


def _resize_one(source: Path, part: Path, size: int, quality: int, name: str) -> str | None:
    """Why ``name`` cannot be decoded, in one line; None where it can be, and is placed."""
    path = part / name
    if path.exists():
        return None
    try:
        image = read_image(os.fspath(source / name))
    except UNREADABLE as error:
        return ' '.join(str(error).split())
    if min(image.size) <= size:
        copy_file(source / name, path)
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    smaller = image.resize(shorter_side(image.width, image.height, size), Image.Resampling.BILINEAR)
    replace_file(path, lambda beside: smaller.save(beside, format='JPEG', quality=quality), durable=False)
    return None


def _read_bad(folder: Path) -> dict[str, str]:
    """Names of bad files, and why they are."""
    listing = folder / BAD_FILES
    content = read_bytes(listing, 1 << 28) if listing.exists() else b''
    return dict(_BAD_LINE.findall(content.decode('utf-8', 'surrogateescape')))


def _walk(folder: Path) -> Iterator[str]:
    """Names of all files below, in order, hidden ones left out; a link back to a folder above is not followed."""
    for place, folders, files in os.walk(folder, followlinks=True):
        here = os.path.realpath(place)
        targets = {name: os.path.realpath(os.path.join(here, name)) for name in folders if not name.startswith('.')}
        folders[:] = sorted(name for name, at in targets.items() if os.path.commonpath([here, at]) != at)
        relative = os.path.relpath(place, folder)
        yield from (os.path.normpath(os.path.join(relative, name)) for name in sorted(files) if name[0] != '.')


def _check_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    if read_json(folder / SETTINGS) != settings:
        told = f'is no cache, or was made with another size or quality (see {SETTINGS} in it)'
        raise DataError(f'{os.fspath(folder)!r} {told}; move it away, or choose another --out')
