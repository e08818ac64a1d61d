"""ImageNet (ILSVRC 2012) from its archives to class folders.

torchvision knows the archives' names and checksums, scipy reads the development kit. torchvision's own unpacker would
write the 138 GB of train twice, begin anew after an interruption, and take no archive but the published one.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from torchvision.datasets.imagenet import ARCHIVE_META

from binssl.core.console import progress_bar
from binssl.core.files import BROKEN_TAR, dense, read_bytes, read_tar, replace_file, write_text
from binssl.data_tools.placing import PART, check_room, gathering
from binssl.registry import ConfigError, DataError

DEVKIT = ARCHIVE_META['devkit'][0]
PUBLISHED = dict(train=(1000, 1_281_167), val=(1000, 50_000))  # classes, images
_TRUTH, _META, _CHECKED = 'ILSVRC2012_validation_ground_truth.txt', 'meta.mat', '.checked'
_WNID = re.compile('n[0-9]{8}')
_CLASS, _TRAIN_IMAGE = re.compile(r'(n[0-9]{8})\.tar'), re.compile(r'n[0-9]{8}_[0-9]+\.JPEG')
_VAL_IMAGE = re.compile(r'ILSVRC2012_val_([0-9]{8})\.JPEG')
#: of a list: an image's name, which one in the order of the images may leave out, and the class
_LINE = re.compile(r'(?:ILSVRC2012_val_([0-9]{8})(?:\.JPEG)?[\s,]+)?(n[0-9]{8})(?:\s.*)?')
_HEADER = 'ImageId,PredictionString'


class Member(NamedTuple):
    """An image in an archive: where it goes (``WNID/NAME.JPEG``), its size, and what opens it."""

    path: str
    size_bytes: int
    open: Callable[[], IO[bytes] | None]

    def is_in(self, folder: Path) -> bool:
        """Whether it is there in its full size."""
        path = folder / self.path
        return path.exists() and path.stat().st_size == self.size_bytes

    def copy(self, path: Path) -> None:
        """Write its bytes to ``path``."""
        content = self.open()
        assert content is not None  # only regular files are members
        with content, open(path, 'wb') as file:
            shutil.copyfileobj(content, file)
        if path.stat().st_size != self.size_bytes:
            raise tarfile.ReadError(f'{self.path} ends early')


def unpack(
    split: str, archive: Path, folder: Path, wnids: Mapping[int, str] | None = None, checksum: bool = True
) -> list[str]:
    """Sort the images of an archive of ``train`` or ``val`` into ``folder/WNID/``.

    They gather in ``folder.part``, each placed as a whole, and the folder gets its name when all are there: what an
    interrupted run has placed, the next one passes by. A folder that is there already is compared with the archive, by
    names and sizes, and left as it is. Of ``val``, ``wnids`` are the classes of the images by their numbers.

    Returns:
        What was done, and a warning where the numbers are not the published ones, one line each.
    """
    name, md5 = ARCHIVE_META[split]
    if not archive.is_file():
        raise DataError(f'there is no archive {os.fspath(archive)!r}; image-net.org has it as {name}')
    if folder.exists():
        done, (found, lacking) = 'kept', _go_through(split, archive, wnids, folder)
        if lacking:
            told = f'lacks {len(lacking):,} of the {found.total():,} images of {os.fspath(archive)!r}'
            remedy = 'move it away to have it made again, or choose another place with --out'
            such = f'or has them in another size, such as {lacking[0]!r}'
            raise DataError(f'{os.fspath(folder)!r} is there, but {told} {such}; {remedy}')
    else:
        if not folder.with_name(folder.name + PART).exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            check_room(folder.parent, archive.stat().st_size)
        with gathering(folder) as part:
            if checksum:
                check_md5(archive, md5, part / _CHECKED)
            done, (found, _) = 'made', _go_through(split, archive, wnids, part, place=True)
            (part / _CHECKED).unlink(missing_ok=True)
    lines = [f'{done} {os.fspath(folder)!r}: {found.total():,} images in {len(found):,} classes']
    classes, images = PUBLISHED[split]
    if (len(found), found.total()) != (classes, images):
        whole = f'{split} of ILSVRC 2012 has {images:,} images in {classes:,} classes'
        lines.append(f'warning: {whole}; this archive is not all of it')
    return lines


def check_md5(file: Path, md5: str, marker: Path | None = None) -> None:
    """Raises a DataError where ``file`` has not the published MD5; 150 GB of it take some ten minutes.

    ``marker``, a small file, remembers a comparison which held, for a run after an interruption: it counts while size
    and time of ``file`` stay what they were.
    """
    state = file.stat()
    seen = json.dumps([md5, state.st_size, state.st_mtime_ns])
    if marker is not None and marker.is_file() and read_bytes(marker) == seen.encode():
        return
    if (found := md5_of(file)) != md5:
        told = f'({state.st_size:,} bytes) has the MD5 {found}, the published one {md5}: it is cut off or damaged'
        remedy = 'fetch it again, or give --skip-checksums if it is another edition on purpose'
        raise DataError(f'{os.fspath(file)!r} {told}; {remedy}')
    if marker is not None:
        write_text(marker, seen)


def md5_of(file: Path) -> str:
    """The MD5 of a file's bytes, as 32 hex digits."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(file, 'rb') as content, progress_bar(f'checksum of {file.name}', file.stat().st_size) as advance:
        while block := content.read(1 << 22):
            digest.update(block)
            advance(len(block))
    return digest.hexdigest()


def _go_through(
    split: str, archive: Path, wnids: Mapping[int, str] | None, folder: Path, place: bool = False
) -> tuple[Counter[str], list[str]]:
    """Images of an archive by class, and the paths of those that ``folder`` lacks, unless they are to be put there."""
    found: Counter[str] = Counter()
    lacking: list[str] = []
    try:
        with tarfile.open(archive, 'r:') as tar, progress_bar(f'{split} images', archive.stat().st_size) as advance:
            for member in _train_members(tar) if split == 'train' else _val_members(tar, wnids or {}):
                path = folder / member.path
                found[path.parent.name] += 1
                if not member.is_in(folder):
                    if place:
                        path.parent.mkdir(exist_ok=True)
                        replace_file(path, member.copy, durable=False)
                    else:
                        lacking.append(member.path)
                advance(member.size_bytes)
    except tarfile.TarError as error:
        raise DataError(f'{os.fspath(archive)!r} is cut off or no tar file ({error}); fetch it again') from error
    if not found:
        raise DataError(f'{os.fspath(archive)!r} holds no image; fetch it again')
    return found, lacking


def _train_members(tar: tarfile.TarFile) -> Iterator[Member]:
    """The images of a tar of tars, ``WNID.tar`` each."""
    for outer in _files(tar):
        match = _CLASS.fullmatch(outer.name.removeprefix('./'))
        if match is None:
            raise DataError(f'{tar.name!r} holds {outer.name!r}; the tar of train holds a WNID.tar for each class')
        with tarfile.open(fileobj=tar.extractfile(outer), mode='r:') as inner:
            for image in _files(inner):
                name = image.name.removeprefix('./')
                if not _TRAIN_IMAGE.fullmatch(name):
                    raise DataError(f'{outer.name} of {tar.name!r} holds {image.name!r}, and not only WNID_NUMBER.JPEG')
                yield Member(f'{match[1]}/{name}', image.size, partial(inner.extractfile, image))


def _val_members(tar: tarfile.TarFile, wnids: Mapping[int, str]) -> Iterator[Member]:
    """The images of the flat tar, each with the class that ``wnids`` has for its number."""
    for image in _files(tar):
        name = image.name.rpartition('/')[2]
        match = _VAL_IMAGE.fullmatch(name)
        if match is None:
            raise DataError(f'{tar.name!r} holds {image.name!r}; the tar of val holds ILSVRC2012_val_NUMBER.JPEG alone')
        if int(match[1]) not in wnids:
            raise DataError(f'no label for {name}: the labels given are of {len(wnids):,} images')
        yield Member(f'{wnids[int(match[1])]}/{name}', image.size, partial(tar.extractfile, image))


def _files(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The regular files of a tar, which must be there to its end: where a header is cut off, tarfile just stops."""
    yield from (member for member in dense(tar) if member.isreg())
    assert tar.fileobj is not None  # it is open
    tar.fileobj.seek(tar.offset)
    if tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError(f'after {tar.offset:,} bytes, neither a next file follows nor the zeros of the end')


def read_validation_labels(source: Path, checksum: bool = True) -> dict[int, str]:
    """The WNID of each validation image, by its number, which counts from 1: the images' archive does not say.

    Args:
        source: the development kit, as published (``.tar.gz``) or extracted; or a text file with a line an image:
            ``WNID`` in the images' order, ``ILSVRC2012_val_NUMBER.JPEG WNID``, or Kaggle's ``LOC_val_solution.csv``.
        checksum: whether a development kit of the published name must have the published MD5.
    """
    if source.is_dir():
        places = [path for name in (_TRUTH, _META) for path in (source / name, source / 'data' / name)]
        return _parse_devkit({path.name: read_bytes(path) for path in places if path.is_file()}, source)
    if not source.is_file():
        raise DataError(f'there is no {os.fspath(source)!r}; the labels are in {DEVKIT}, published beside the images')
    if source.name.endswith(('.tar.gz', '.tgz')):
        if checksum and source.name == DEVKIT:
            check_md5(source, ARCHIVE_META['devkit'][1])
        try:
            return _parse_devkit(read_tar(source, (_TRUTH, _META)), source)
        except BROKEN_TAR as error:
            raise DataError(f'{os.fspath(source)!r} cannot be read ({error}); fetch {DEVKIT} again') from error
    return _parse_list(read_bytes(source).decode('utf-8', 'replace').splitlines(), source)


def _parse_list(lines: list[str], source: Path) -> dict[int, str]:
    wnids: dict[int, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith(_HEADER):
            continue
        match = _LINE.fullmatch(line.strip())
        image = int(match[1]) if match and match[1] else len(wnids) + 1
        if match is None or image in wnids:
            problem = f'is image {image} again' if match else 'should be WNID, or ILSVRC2012_val_NUMBER.JPEG WNID'
            raise DataError(f'{os.fspath(source)!r}, line {number}: {line[:80]!r} {problem}')
        wnids[image] = match[2]
    if not wnids:
        raise DataError(f'{os.fspath(source)!r} names no image')
    return wnids


def _parse_devkit(contents: Mapping[str, bytes], source: Path) -> dict[int, str]:
    """The ground truth has an ILSVRC2012_ID a line; the structs ``synsets`` of meta.mat give its WNID."""
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise ConfigError('the development kit is read by scipy: pip install "binssl[digits]"') from error
    if missing := [name for name in (_TRUTH, _META) if name not in contents]:
        raise DataError(f'{os.fspath(source)!r} holds no {missing[0]}; expected is {DEVKIT}')
    meta = f'{_META} of {os.fspath(source)!r}'
    try:
        synsets = np.atleast_1d(loadmat(io.BytesIO(contents[_META]), squeeze_me=True)['synsets'])
        wnid_of = {int(synset['ILSVRC2012_ID']): str(synset['WNID']) for synset in synsets}
    except Exception as error:  # a damaged file may raise anything
        rule = 'has no ILSVRC2012_ID and WNID in each synset'
        raise DataError(f'{meta} {rule} ({error}); fetch {DEVKIT} again') from error
    if wrong := [wnid for wnid in wnid_of.values() if not _WNID.fullmatch(wnid)]:  # they become names of folders
        raise DataError(f'{meta}: the WNID {wrong[0]!r} should be n and eight digits; fetch {DEVKIT} again')
    lines = contents[_TRUTH].decode('utf-8', 'replace').splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip().isdecimal() or int(line) not in wnid_of:
            told = f'line {number}: {line[:40]!r} is none of the {len(wnid_of)} classes of {_META}'
            raise DataError(f'{_TRUTH} of {os.fspath(source)!r}, {told}')
    return {number: wnid_of[int(line)] for number, line in enumerate(lines, start=1)}
