"""List files: of an image folder, of a few per cent of its images, and of Pascal VOC.

Names and numbers are those of OpenSelfSup and BURN.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from binssl.core.files import read_bytes, replace_file
from binssl.datasets.file_index import FileIndex
from binssl.datasets.folder_files import index_folder
from binssl.datasets.imagenet import check_same_folders
from binssl.datasets.list_files import index_list
from binssl.datasets.subsets import check_percent, draw_places
from binssl.datasets.voc import CLASSES, EXPECTED, PUBLISHED, read_split, set_file
from binssl.registry import DataError

_LONGEST_LIST = 1 << 28  # bytes; one of all of ImageNet has 50 MB
SPLITS = ('train', 'val')
OFFICIAL = 'https://github.com/google-research/simclr, imagenet_subsets/1percent.txt and 10percent.txt'


def write_lists(root: Path, splits: Sequence[str] | None = None, overwrite: bool = False) -> list[str]:
    """Write ``meta/SPLIT.txt``, ``meta/SPLIT_labeled.txt`` and ``meta/class_ids.txt``.

    Lines are ``PATH``, or ``PATH LABEL``, paths relative to ``SPLIT/``. A label is the class folder's place among the
    class folders; class_ids.txt says which: lines ``FOLDER LABEL``.

    Args:
        root: holds ``SPLIT/CLASS/IMAGE``.
        splits: which; None: train and val, whichever of them is there.
        overwrite: whether other lists of these names may go.

    Returns:
        What was done, one line a file.
    """
    indexes, classes = _index_splits(root, splits)
    files = {'class_ids': [f'{name} {label}' for label, name in enumerate(classes)]}
    for split, index in indexes.items():
        files[split] = names = [index.names[place] for place in range(len(index))]
        files[f'{split}_labeled'] = [f'{name} {label}' for name, label in zip(names, index.labels, strict=True)]
    return [_write_list(root / 'meta' / f'{name}.txt', lines, overwrite) for name, lines in files.items()]


def link_by_id(root: Path, out: Path, splits: Sequence[str] | None = None) -> list[str]:
    """Make ``out/SPLIT/ID``, a link to each class folder ``root/SPLIT/CLASS``, named by the integer id.

    Ids are padded with zeros (000 to 999), so that their order as names is their order as numbers, whoever reads them.
    Returns what was done, one line a split.
    """
    indexes, classes = _index_splits(root, splits)
    digits = len(str(len(classes) - 1))
    for split in indexes:
        (out / split).mkdir(parents=True, exist_ok=True)
        for label, name in enumerate(classes):
            link, folder = out / split / f'{label:0{digits}d}', root / split / name
            target = folder.resolve()
            if not link.is_symlink() and not link.exists():
                # relative, so that the two folders can be moved together
                link.symlink_to(os.path.relpath(target, link.parent.resolve()), target_is_directory=True)
            elif link.resolve() != target:
                raise DataError(f'{os.fspath(link)!r} is there and is no link to {os.fspath(folder)!r}; move it away')
    return [f'linked {len(classes):,} classes of {split} in {os.fspath(out / split)!r}' for split in indexes]


def _index_splits(root: Path, splits: Sequence[str] | None) -> tuple[dict[str, FileIndex], list[str]]:
    """An index of each split, and the classes, which all of them have."""
    asked = SPLITS if splits is None else splits
    there = [split for split in asked if (root / split).is_dir()]
    missing = [split for split in asked if split not in there]
    if not there or (missing and splits is not None):
        raise DataError(f'{os.fspath(root)!r} holds no {" and no ".join(missing)}; expected is SPLIT/CLASS/IMAGE in it')
    indexes = {split: index_folder(root / split) for split in there}
    classes = indexes[there[0]].classes or ()
    for split in there[1:]:
        check_same_folders(root / there[0], root / split)
    return indexes, list(classes)


def write_subset(
    root: Path, percent: float, seed: int = 0, official: Path | None = None, overwrite: bool = False
) -> list[str]:
    """Write ``meta/train_labeled_{percent}percent.txt``, lines ``PATH LABEL``, and beside it how it was made, as JSON.

    Args:
        root: holds ``train/CLASS/IMAGE``, or ``meta/train_labeled.txt``, which is then taken.
        percent: of the training images, above 0 and below 100.
        seed: of the draw, where there is no list.
        official: a list of file names, one a line, as SimCLR published them; the images of ``root`` that it names are
            taken. None: drawn, stratified by class, which is another subset than the published one.
        overwrite: whether another subset of this name may go.

    Returns:
        What was done and which subset it is, one line each.
    """
    check_percent('the subset', percent)
    index = _training_images(root)
    if official is not None:
        places, source = match_names(index, official), f'the list {official.name!r}'
        if not 0.9 < len(places) / (len(index) * percent / 100) < 1.1:
            share = f'{100 * len(places) / len(index):.3g} % and not {percent:g}'
            told = f'{os.fspath(official)!r} names {len(places):,} of {len(index):,} images, {share}'
            raise DataError(f'{told}; give the list of that share')
    else:
        places, source = draw_stratified(index, percent, seed), f'drawn, stratified by class, seed {seed}'
    lines = [f'{index.names[place]} {index.labels[place]}' for place in places]
    path = root / 'meta' / f'train_labeled_{percent:g}percent.txt'
    text = ''.join(f'{line}\n' for line in lines).encode('utf-8', 'surrogateescape')
    made = dict(source=source, percent=percent, images=len(lines), of=len(index))
    made |= dict(classes=len(set(index.labels[places].tolist())), sha256=hashlib.sha256(text).hexdigest())
    done = [_write_list(path, lines, overwrite)]
    done.append(_write_list(path.with_suffix('.json'), json.dumps(made, indent=1).split('\n'), overwrite))
    if official is None:
        other = 'it is not the one that SimCLR published, and numbers differ between subsets'
        done.append(f'note: this subset is {source}; {other}. For that one: --official FILE ({OFFICIAL})')
    return done


def draw_stratified(index: FileIndex, percent: float, seed: int) -> list[int]:
    """Places of ``percent`` of the images of each class by the names of the files, as :func:`draw_places` draws."""
    return draw_places(index.labels, percent, seed, index.names.raw)


def match_names(index: FileIndex, names_file: Path) -> list[int]:
    """Places of the images whose file names ``names_file`` has, in the index's order.

    Raises:
        DataError: some are not there, or two images have one of the names.
    """
    try:
        text = read_bytes(names_file, _LONGEST_LIST).decode('utf-8', 'surrogateescape')
    except OSError as error:
        raise DataError(f'{os.fspath(names_file)!r} cannot be read: {error.strerror}; it is from {OFFICIAL}') from error
    wanted = {os.path.basename(line.strip()) for line in text.split('\n') if line.strip()}
    if not wanted:
        raise DataError(f'{os.fspath(names_file)!r} names no image; fetch it from {OFFICIAL}')
    places: dict[str, int] = {}
    for place in range(len(index)):
        name = os.path.basename(index.names[place])
        if name in wanted:
            if name in places:
                both = f'{index.path(places[name])!r} and {index.path(place)!r}'
                raise DataError(f'{both} have one name, so the list may mean either; remove or rename one')
            places[name] = place
    if missing := sorted(wanted - set(places)):
        named = f'names {len(missing):,} of {len(wanted):,} images that are not in {index.folder!r}'
        problem = 'the list is of another set, or the set is not whole'
        raise DataError(f'{os.fspath(names_file)!r} {named}, such as {missing[0]!r}: {problem}')
    return sorted(places.values())


def _training_images(root: Path) -> FileIndex:
    labeled = root / 'meta' / 'train_labeled.txt'
    if not labeled.is_file():
        return index_folder(root / 'train')
    index = index_list(labeled, [root / 'train', root])
    if (index.labels < 0).any():
        raise DataError(f'{os.fspath(labeled)!r} has no labels; write it with tools/prepare_data/lists.py --overwrite')
    return index


def write_voc_lists(devkit: Path, out: Path, overwrite: bool = False) -> list[str]:
    """Write lists and targets of VOC07 (``trainval``, ``test``), VOC12 (``trainval``) and both trainvals.

    A list ``voc07_trainval.txt`` has lines ``VOC2007/JPEGImages/ID.jpg``, relative to ``devkit``; its
    ``voc07_trainval_targets.npy`` is int8 (N, 20), a row a line and a column a class of ``classes.txt``, with VOC's
    values: 1 where the class is in the image, 0 where only as what VOC calls difficult (to be left out of training and
    scores), -1 where it is not. Detectors read the boxes from ``Annotations/ID.xml`` of the same images.

    Returns what was done, one line a file, and a warning where the numbers are not the published ones.

    Args:
        devkit: the folder VOCdevkit, with VOC2007, VOC2012 or both.
        out: where to.
        overwrite: whether other files of these names may go.
    """
    lists = {part: read_split(devkit, *part) for part in PUBLISHED if set_file(devkit, *part).is_file()}
    if not lists:
        wanted = 'VOC2007/ImageSets/Main/trainval.txt, nor one of VOC2012'
        raise DataError(f'{os.fspath(devkit)!r} holds no {wanted}; {EXPECTED}')
    lines = [
        f'warning: {split} of {year} names {len(paths):,} images, the published one {PUBLISHED[year, split]:,}'
        for (year, split), (paths, _) in lists.items()
        if len(paths) != PUBLISHED[year, split]
    ]
    named = {f'voc{year[-2:]}_{split}': entry for (year, split), entry in lists.items()}
    trainvals = [entry for (_, split), entry in lists.items() if split == 'trainval']
    if len(trainvals) == 2:
        images, targets = zip(*trainvals, strict=True)
        named['voc0712_trainval'] = ([*images[0], *images[1]], np.concatenate(targets))
    lines.append(_write_list(out / 'classes.txt', list(CLASSES), overwrite))
    for name, (paths, rows) in named.items():
        lines.append(_write_list(out / f'{name}.txt', paths, overwrite))
        content = io.BytesIO()
        np.save(content, rows)
        lines.append(_write_file(out / f'{name}_targets.npy', content.getvalue(), overwrite))
    missing = [part for part in PUBLISHED if part not in lists]
    return lines + [f'note: no {year} {split} there, so no list of it' for year, split in missing]


def _write_list(path: Path, lines: list[str], overwrite: bool = False) -> str:
    """Write a list file, as :func:`_write_file`; names that are not UTF-8 keep their bytes."""
    if broken := [line for line in lines if '\n' in line or '\r' in line]:
        raise DataError(f'{broken[0]!r} holds a line break, so no list can name it; rename it')
    content = ''.join(f'{line}\n' for line in lines).encode('utf-8', 'surrogateescape')
    return f'{_write_file(path, content, overwrite)}: {len(lines):,} lines'


def _write_file(path: Path, content: bytes, overwrite: bool = False) -> str:
    """Write a small file; says whether it was written, or was there already with the same content."""
    if path.exists() and path.read_bytes() == content:
        return f'kept {os.fspath(path)!r}'
    if path.exists() and not overwrite:
        raise DataError(f'{os.fspath(path)!r} is there already, and another one; move it away, or give --overwrite')
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, lambda beside: beside.write_bytes(content))
    return f'wrote {os.fspath(path)!r}'
