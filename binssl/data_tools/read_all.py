"""``tools/analyze_data.py``: every image of a config's data read once, by several processes."""

from __future__ import annotations

import functools
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from PIL import ExifTags, Image

from binssl.core.console import progress_bar
from binssl.core.files import open_regular, replace_file, write_json
from binssl.core.signals import die_with_parent
from binssl.data_tools.browse import SPLITS, build_split
from binssl.data_tools.report import Analysis, BadImage, FileFacts, count_labels
from binssl.datasets.decode import UNREADABLE, open_image, to_rgb
from binssl.engine.config import load_config
from binssl.registry import ConfigError

REPORT, LIST = 'analysis.json', 'bad_files.txt'
_CHUNK = 64  # files that a process is given at a time
_SIXTEEN_BIT = ('I', 'F')  # PIL's modes I, I;16, I;16B, ... and F


def analyze(
    config: str | Path,
    splits: Sequence[str] | None = None,
    workers: int | None = None,
    min_side: int = 1,
    out: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    force: bool = False,
) -> list[Analysis]:
    """Decode every image of a config's data, and count labels.

    Args:
        config: path of a config.
        splits: of ``train``, ``val`` and ``test``. None: all that the config has, equal ones once.
        workers: processes that decode; 0: this one does. None: one a core.
        min_side: a picture with a shorter side, px, is bad.
        out: a folder for ``analysis.json`` and ``bad_files.txt`` (lines FILE, tab, PROBLEM); made if need be.
        options: as given to ``--cfg-options``.
        force: overwrite these files.
    """
    workers = len(os.sched_getaffinity(0)) if workers is None else workers
    if workers < 0 or min_side < 1:
        raise ConfigError(f'--workers {workers} must be at least 0 and --min-side {min_side} at least 1')
    folder = None if out is None else Path(out)
    if folder and folder.exists() and not folder.is_dir():
        raise ConfigError(f'--out {out} is a file; it must be a folder, or one that can be made')
    there = [name for name in (REPORT, LIST) if folder and (folder / name).exists()]
    if there and not force:
        raise ConfigError(f'{out} already holds {" and ".join(there)}; use --force to overwrite, or another --out')
    cfg = load_config(config, options)
    analyses = [analyze_split(cfg, split, workers, min_side) for split in splits or _different_splits(cfg)]
    if folder:
        write_json(folder / REPORT, [analysis.as_data() for analysis in analyses])
        bad = [(image.file, image.problem) for analysis in analyses for image in analysis.bad]
        # a name may be of any bytes, and an image in two splits
        lines = [os.fsencode(file) + f'\t{problem}\n'.encode(errors='backslashreplace') for file, problem in bad]
        replace_file(folder / LIST, lambda beside: beside.write_bytes(b''.join(dict.fromkeys(lines))))
    return analyses


def _different_splits(cfg: Config) -> list[str]:
    """The splits of ``cfg``; of those that read the same data, the first."""
    data = [(cfg.get(f'{split}_dataloader') or {}).get('dataset') for split in SPLITS]
    names = [split for place, split in enumerate(SPLITS) if data[place] is not None and data[place] not in data[:place]]
    if not names:
        raise ConfigError('the config describes no data: it has neither train_, val_ nor test_dataloader')
    return names


def analyze_split(cfg: Config, split: str, workers: int, min_side: int) -> Analysis:
    """One split of ``cfg``; see :func:`analyze`."""
    data = build_split(cfg, split)
    labels, num_classes = data.single_labels(), data.num_classes or 0
    counts, unlabeled, outside = count_labels(labels, num_classes)
    names = [name for label in range(len(counts)) if (name := data.class_name(label))]
    files = [(index, path) for index in range(len(data)) if (path := data.path(index)) is not None]
    sizes = np.zeros((len(data), 2), dtype=np.int32)
    found = Analysis(split, data.kind, len(data), len(files), sizes, counts, unlabeled, names)
    for index in outside.tolist():
        problem = f'label {labels[index]} is none of the {num_classes} classes'
        found.bad.append(BadImage(index, data.path(index) or data.name(index), int(labels[index]), problem))
    for index in set(range(len(data))).difference(index for index, _ in files):
        picture = data.original(index)
        if picture is None:
            found.bad.append(BadImage(index, data.name(index), int(labels[index]), 'cannot be decoded'))
        else:
            sizes[index] = picture.size
    inspect = functools.partial(inspect_files, min_side=min_side)
    chunks = [files[start : start + _CHUNK] for start in range(0, len(files), _CHUNK)]
    tasks = ([path for _, path in chunk] for chunk in chunks)
    with progress_bar(split, len(files)) as advance:
        for chunk, facts in zip(chunks, in_order(inspect, tasks, workers), strict=True):
            for (index, path), file in zip(chunk, facts, strict=True):
                found.add(index, path, int(labels[index]), file)
            advance(len(chunk))
    found.bad.sort(key=lambda image: image.index)
    return found


def in_order(work: Callable[[Any], Any], tasks: Iterable[Any], workers: int) -> Iterator[Any]:
    """``map(work, tasks)`` by so many processes, with few tasks under way at a time.

    Raises:
        ConfigError: a process was killed.
    """
    if not workers:
        yield from map(work, tasks)
        return
    pool = ProcessPoolExecutor(workers, initializer=die_with_parent, initargs=(os.getpid(),))
    waiting: deque[Future] = deque()
    try:
        for task in tasks:
            waiting.append(pool.submit(work, task))
            if len(waiting) > 4 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        told = 'a process that decodes images was killed: short of memory, or by a file that breaks its decoder'
        raise ConfigError(f'{told}; use fewer --workers, or --workers 0 to see it happen') from error
    finally:
        pool.shutdown(cancel_futures=True)


def inspect_files(paths: Sequence[str], min_side: int = 1) -> list[FileFacts]:
    """Decode each of ``paths`` whole; a side shorter than ``min_side``, px, is a problem."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of large pictures and odd metadata: what counts is told as facts
        return [_inspect(path, min_side) for path in paths]


def _inspect(path: str, min_side: int) -> FileFacts:
    facts = FileFacts()
    try:
        with open_regular(path) as file, open_image(file) as image:
            facts.mode, facts.kind, facts.size = image.mode, image.format or '', image.size
            facts.remarks = list(_remarks(path, image))
            image.load()
            to_rgb(image)
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
