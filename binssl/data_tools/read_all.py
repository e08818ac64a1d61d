"""``tools/analyze_data.py``: every image of a config's data read once, by several processes."""

from __future__ import annotations

import functools
import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from binssl.data_tools.browse import SPLITS, build_split
from binssl.data_tools.report import Analysis, BadImage, bad_list, count_labels
from binssl.engine.config import load_config
from binssl.registry import FUNCTIONS, ConfigError

REPORT, LIST = 'analysis.json', 'bad_files.txt'
_CHUNK = 64  # files that a process is given at a time
_REFRESH_SECONDS = 0.2


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

    Raises:
        ConfigError: no such split, a number that makes no sense, results that are there already, data that no run could
            start with.
    """
    workers = len(os.sched_getaffinity(0)) if workers is None else workers
    if workers < 0 or min_side < 1:
        raise ConfigError(f'--workers {workers} must be at least 0 and --min-side {min_side} at least 1')
    if out is not None and Path(out).exists() and not Path(out).is_dir():
        raise ConfigError(f'--out {out} is a file; it must be a folder, or one that can be made')
    if out is not None and not force:
        _check_free(Path(out))
    cfg = load_config(config, options)
    analyses = [analyze_split(cfg, split, workers, min_side) for split in splits or _different_splits(cfg)]
    if out is not None:
        _write(Path(out), analyses)
    return analyses


def _check_free(out: Path) -> None:
    there = [name for name in (REPORT, LIST) if (out / name).exists()]
    if there:
        raise ConfigError(f'{out} already holds {" and ".join(there)}; use --force to overwrite, or another --out')


def _different_splits(cfg: Config) -> list[str]:
    """The splits of ``cfg``; of those that read the same data, the first."""
    seen: list[Any] = []
    names = []
    for split in SPLITS:
        data = (cfg.get(f'{split}_dataloader') or {}).get('dataset')
        if data is not None and data not in seen:
            seen.append(data)
            names.append(split)
    if not names:
        raise ConfigError('the config describes no data: it has neither train_, val_ nor test_dataloader')
    return names


def analyze_split(cfg: Config, split: str, workers: int, min_side: int) -> Analysis:
    """One split of ``cfg``; see :func:`analyze`."""
    dataset = build_split(cfg, split)
    make_originals: Any = FUNCTIONS.get('Originals')
    originals = make_originals(dataset)
    counts, unlabeled, outside = count_labels(originals.labels, originals.num_classes)
    names = [originals.class_name(label) for label in range(len(counts))]
    found = Analysis(
        split,
        type(dataset).__name__,
        len(originals),
        len(originals.files),
        np.zeros((len(originals), 2), dtype=np.int32),
        counts,
        unlabeled,
        [str(name) for name in names if name],
        [],
    )
    for index in outside.tolist():
        label = int(originals.labels[index])
        problem = f'label {label} is none of the {originals.num_classes} classes'
        found.bad.append(BadImage(index, originals.path(index) or originals.name(index), label, problem))
    in_memory = np.setdiff1d(np.arange(len(originals)), originals.files)
    for index in in_memory.tolist():
        found.sizes[index] = originals.size(index)
    _read_files(found, originals, workers, min_side)
    found.bad.sort(key=lambda image: image.index)
    return found


def _read_files(found: Analysis, originals: Any, workers: int, min_side: int) -> None:
    inspect: Any = functools.partial(FUNCTIONS.get('inspect_files'), min_side=min_side)
    files = originals.files
    chunks = [files[start : start + _CHUNK] for start in range(0, len(files), _CHUNK)]
    paths = ([originals.path(index) for index in chunk] for chunk in chunks)
    results = _with_progress(in_order(inspect, paths, workers), found.split, len(files))
    for chunk, facts in zip(chunks, results, strict=True):
        for index, file in zip(chunk.tolist(), facts, strict=True):
            _take(found, index, originals.path(index), int(originals.labels[index]), file)


def _take(found: Analysis, index: int, path: str, label: int, facts: Any) -> None:
    found.sizes[index] = facts.size
    if facts.problem is not None:
        found.bad.append(BadImage(index, path, label, facts.problem))
        return
    found.modes[facts.mode] += 1
    found.kinds[facts.kind] += 1
    for remark in facts.remarks:
        found.remark(remark, path)


def in_order(work: Callable[[Any], Any], tasks: Iterable[Any], workers: int) -> Iterator[Any]:
    """``map(work, tasks)`` by so many processes, with few tasks under way at a time.

    Raises:
        ConfigError: a process was killed.
    """
    if not workers:
        yield from map(work, tasks)
        return
    pool = ProcessPoolExecutor(workers)
    waiting: deque[Future] = deque()
    try:
        for task in tasks:
            waiting.append(pool.submit(work, task))
            if len(waiting) > 4 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise ConfigError(
            'a process that decodes images was killed: short of memory, or by a file that breaks its decoder; use '
            'fewer --workers, or --workers 0 to see it happen'
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _with_progress(results: Iterator[list], title: str, total: int) -> Iterator[list]:
    """``results`` as they come, lists of what was done, with a bar on a terminal."""
    console = Console(stderr=True)
    columns = TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    # refreshed by hand: a thread that draws would be forked into the workers
    with Progress(*columns, console=console, auto_refresh=False, disable=not console.is_terminal) as progress:
        task, drawn = progress.add_task(title, total=total), 0.0
        for done in results:
            progress.advance(task, len(done))
            if time.monotonic() - drawn > _REFRESH_SECONDS:
                progress.refresh()
                drawn = time.monotonic()
            yield done


def _write(out: Path, analyses: Sequence[Analysis]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / REPORT).write_text(json.dumps([analysis.as_data() for analysis in analyses], indent=1) + '\n')
    # a name may be of any bytes
    lines = [
        os.fsencode(file) + f'\t{problem}\n'.encode(errors='backslashreplace') for file, problem in bad_list(analyses)
    ]
    (out / LIST).write_bytes(b''.join(lines))
