"""ImageNet (ILSVRC 2012) from its archives: the tar of 1,000 tars to train on, the flat tar to validate."""

from __future__ import annotations

import os
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

from binssl.data_tools.checksums import check_md5
from binssl.data_tools.placing import PART, check_room, gathering, place_file
from binssl.data_tools.progress import progress_bar
from binssl.registry import DataError

_CLASS = re.compile(r'(n[0-9]{8})\.tar')
_TRAIN_IMAGE = re.compile(r'n[0-9]{8}_[0-9]+\.JPEG')
_VAL_IMAGE = re.compile(r'ILSVRC2012_val_([0-9]{8})\.JPEG')
_CHECKED = '.checked'


@dataclass(frozen=True)
class Archive:
    """What is published of a split.

    Attributes:
        name: of the file.
        md5: of its bytes.
        classes: how many.
        images: how many.
    """

    name: str
    md5: str
    classes: int
    images: int


PUBLISHED = dict(
    train=Archive('ILSVRC2012_img_train.tar', '1d675b47d978889d74fa0da5fadfb00e', 1000, 1_281_167),
    val=Archive('ILSVRC2012_img_val.tar', '29b22e2961454d5413ddabcf34fc5622', 1000, 50_000),
)


class Member(NamedTuple):
    """An image in an archive: where it goes (``WNID/NAME.JPEG``), its size, and what opens it."""

    path: str
    size_bytes: int
    open: Callable[[], IO[bytes] | None]


def unpack(
    split: str, archive: Path, folder: Path, wnids: Mapping[int, str] | None = None, checksum: bool = True
) -> list[str]:
    """Sort the images of an archive into ``folder/WNID/``.

    They gather in ``folder.part``, each placed as a whole, and the folder gets its name when all are there: what an
    interrupted run has placed, the next one passes by. A folder that is there already is compared with the archive, by
    names and sizes, and left as it is.

    Args:
        split: ``train`` or ``val``.
        archive: the tar file.
        folder: usually data/imagenet/SPLIT.
        wnids: for ``val``, the class of each image, by number.
        checksum: whether the archive must have the published MD5.

    Returns:
        What was done, and a warning where the numbers are not the published ones, one line each.

    Raises:
        DataError: the archive is not there, damaged or another one; or the folder differs from it.
    """
    if not archive.is_file():
        raise DataError(f'there is no archive {os.fspath(archive)!r}; image-net.org has it as {PUBLISHED[split].name}')
    if folder.exists():
        found, other = _for_each_member(split, archive, wnids, partial(_is_there, folder))
        if other:
            raise DataError(
                f'{os.fspath(folder)!r} is there, but lacks {len(other):,} of the {sum(found.values()):,} images of '
                f'{os.fspath(archive)!r} or has them in another size, such as {other[0]!r}; move it away to have it '
                'made again, or choose another place with --out'
            )
        return _summary(split, f'kept {os.fspath(folder)!r}', found)
    if not folder.with_name(folder.name + PART).exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        check_room(folder.parent, archive.stat().st_size)
    with gathering(folder) as part:
        if checksum:
            check_md5(archive, PUBLISHED[split].md5, part / _CHECKED)
        found, _ = _for_each_member(split, archive, wnids, partial(_place, part))
        (part / _CHECKED).unlink(missing_ok=True)
    return _summary(split, f'made {os.fspath(folder)!r}', found)


def _for_each_member(
    split: str, archive: Path, wnids: Mapping[int, str] | None, work: Callable[[Member], bool]
) -> tuple[dict[str, int], list[str]]:
    """Images by class, and the paths of those for which ``work`` was false."""
    found: dict[str, int] = {}
    other: list[str] = []
    try:
        with tarfile.open(archive, 'r:') as tar, progress_bar(f'{split} images', archive.stat().st_size) as advance:
            for member in train_members(tar) if split == 'train' else val_members(tar, wnids or {}):
                wnid = member.path.partition('/')[0]
                found[wnid] = found.get(wnid, 0) + 1
                if not work(member):
                    other.append(member.path)
                advance(member.size_bytes)
    except tarfile.TarError as error:
        raise DataError(f'{os.fspath(archive)!r} is cut off or no tar file ({error}); fetch it again') from error
    if not found:
        raise DataError(f'{os.fspath(archive)!r} holds no image; fetch it again')
    return found, other


def train_members(tar: tarfile.TarFile) -> Iterator[Member]:
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


def val_members(tar: tarfile.TarFile, wnids: Mapping[int, str]) -> Iterator[Member]:
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
    yield from (member for member in tar if member.isreg())
    assert tar.fileobj is not None  # it is open
    tar.fileobj.seek(tar.offset)
    if tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError(f'after {tar.offset:,} bytes, neither a next file follows nor the zeros of the end')


def _is_there(folder: Path, member: Member) -> bool:
    try:
        return (folder / member.path).stat().st_size == member.size_bytes
    except OSError:
        return False


def _place(part: Path, member: Member) -> bool:
    """Always true: it is there now."""
    if not _is_there(part, member):
        path = part / member.path
        path.parent.mkdir(exist_ok=True)
        place_file(path, partial(_copy, member))
    return True


def _copy(member: Member, path: Path) -> None:
    content = member.open()
    assert content is not None  # only regular files are members
    with content, open(path, 'wb') as file:
        shutil.copyfileobj(content, file)
    if path.stat().st_size != member.size_bytes:
        raise tarfile.ReadError(f'{member.path} ends early')


def _summary(split: str, done: str, found: Mapping[str, int]) -> list[str]:
    images, published = sum(found.values()), PUBLISHED[split]
    lines = [f'{done}: {images:,} images in {len(found):,} classes']
    if (len(found), images) != (published.classes, published.images):
        lines.append(
            f'warning: {split} of ILSVRC 2012 has {published.images:,} images in {published.classes:,} classes; '
            'this archive is not all of it'
        )
    return lines
