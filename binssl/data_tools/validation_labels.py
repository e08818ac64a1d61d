"""Which class each validation image of ImageNet belongs to: the images' archive does not say."""

from __future__ import annotations

import os
import re
import tarfile
import zlib
from pathlib import Path

from binssl.data_tools.mat_structs import read_structs
from binssl.registry import DataError

DEVKIT, DEVKIT_MD5 = 'ILSVRC2012_devkit_t12.tar.gz', 'fa75699e90414af021442c21a62c3abf'
_TRUTH, _META = 'ILSVRC2012_validation_ground_truth.txt', 'meta.mat'
#: an image's name, which a list in the order of the images may leave out, and the class
_LINE = re.compile(r'(?:ILSVRC2012_val_([0-9]{8})(?:\.JPEG)?[\s,]+)?(n[0-9]{8})(?:\s.*)?')
_WNID = re.compile('n[0-9]{8}')
_HEADER = 'ImageId,PredictionString'


def read_validation_labels(source: Path) -> dict[int, str]:
    """The WNID of each validation image, by its number, which counts from 1.

    Args:
        source: the development kit, as published (``.tar.gz``) or extracted; or a text file with a line an image:
            ``WNID`` in the images' order, ``ILSVRC2012_val_NUMBER.JPEG WNID``, or Kaggle's ``LOC_val_solution.csv``.

    Raises:
        DataError: it is none of these, or incomplete; with the line.
    """
    if source.is_dir():
        return _parse_devkit({name: _find(source, name).read_bytes() for name in (_TRUTH, _META)}, source)
    if not source.is_file():
        raise DataError(f'there is no {os.fspath(source)!r}; the labels are in {DEVKIT}, published beside the images')
    if source.name.endswith(('.tar.gz', '.tgz')):
        return _parse_devkit(_read_archive(source), source)
    return parse_text(source.read_text(encoding='utf-8', errors='replace').splitlines(), source)


def parse_text(lines: list[str], source: Path) -> dict[int, str]:
    """As :func:`read_validation_labels`, from the lines of a text file."""
    wnids: dict[int, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith(_HEADER):
            continue
        match = _LINE.fullmatch(line.strip())
        image = int(match[1]) if match and match[1] else len(wnids) + 1
        if match is None or image in wnids:
            raise DataError(
                f'{os.fspath(source)!r}, line {number}: {line[:80]!r} '
                + ('should be WNID, or ILSVRC2012_val_NUMBER.JPEG WNID' if match is None else f'is image {image} again')
            )
        wnids[image] = match[2]
    if not wnids:
        raise DataError(f'{os.fspath(source)!r} names no image')
    return wnids


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / 'data' / name):
        if path.is_file():
            return path
    raise DataError(f'{os.fspath(folder)!r} holds neither {name} nor data/{name}; expected is {DEVKIT}, extracted')


def _read_archive(archive: Path) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, 'r:gz') as members:
            for member in members:
                name = member.name.rpartition('/')[2]
                if name in (_TRUTH, _META) and (content := members.extractfile(member)):
                    contents[name] = content.read()
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise DataError(f'{os.fspath(archive)!r} cannot be read ({error}); fetch {DEVKIT} again') from error
    if missing := [name for name in (_TRUTH, _META) if name not in contents]:
        raise DataError(f'{os.fspath(archive)!r} holds no {missing[0]}; expected is {DEVKIT}')
    return contents


def _parse_devkit(contents: dict[str, bytes], source: Path) -> dict[int, str]:
    """The ground truth has an ILSVRC2012_ID a line; the structs ``synsets`` of meta.mat give its WNID."""
    wnid_of = _read_synsets(contents[_META], f'{_META} of {os.fspath(source)!r}')
    wnids: dict[int, str] = {}
    for number, line in enumerate(contents[_TRUTH].decode('utf-8', 'replace').splitlines(), start=1):
        if not line.strip().isdecimal() or int(line) not in wnid_of:
            raise DataError(
                f'{_TRUTH} of {os.fspath(source)!r}, line {number}: {line[:40]!r} is none of the {len(wnid_of)} '
                f'classes of {_META}'
            )
        wnids[number] = wnid_of[int(line)]
    return wnids


def _read_synsets(content: bytes, where: str) -> dict[int, str]:
    """The WNID of each ILSVRC2012_ID; it becomes the name of a folder, so nothing else will do."""
    wnid_of: dict[int, str] = {}
    for synset in read_structs(content, 'synsets', where):
        try:
            number, wnid = int(synset['ILSVRC2012_ID'][0]), synset['WNID']
        except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
            raise DataError(f'{where} has no ILSVRC2012_ID and WNID in each synset; fetch {DEVKIT} again') from error
        if not isinstance(wnid, str) or not _WNID.fullmatch(wnid):
            raise DataError(
                f'{where}: the WNID of class {number} is {wnid!r}, which should be n and eight digits; fetch {DEVKIT} '
                'again'
            )
        wnid_of[number] = wnid
    return wnid_of
