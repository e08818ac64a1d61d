"""The table of an evaluation, as Markdown and JSON: numbers, and what they were measured on and with."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from binssl.checkpoints import read_trained
from binssl.core.files import current_commit, file_sha256
from binssl.core.tables import markdown, summarise
from binssl.recipes.job import Job
from binssl.recipes.plan import Planned
from binssl.registry import nearest_names

COLUMNS = ('task', 'measured', 'value', 'seconds', 'data')
NOTE = (
    'Values in percent, seeds {seeds}; seconds are wall time of the whole task. Data: the first 8 digits of the '
    'SHA-256 of all that was read; evaluation.json has it whole, with the command lines.'
)


def describe_plan(planned: Sequence[Planned]) -> str:
    """What will run, with how many images go through the network and about how long that takes; and what will not."""
    head = ('task', 'passes of an image', 'about')
    lines = [(_name(entry), f'{entry.images:,}', _duration(entry.seconds)) for entry in planned if not entry.obstacle]
    text = markdown([head, *lines]) + '\n(in one process; what is fitted to features comes on top)' if lines else ''
    return '\n'.join([text, *_obstacles(planned)]).strip()


def write_results(
    planned: Sequence[Planned], jobs: Sequence[tuple[Planned, Sequence[Job]]], weights: Path, work_dir: Path
) -> str:
    """Write ``evaluation.md`` and ``evaluation.json`` into ``work_dir``.

    Tasks that were done before, and were not asked for now, stay in the table.

    Args:
        planned: every task that was asked for.
        jobs: the runs of those that can run, a seed each; what is not done is told as such.
        weights: the file that was evaluated.
        work_dir: where to.

    Returns:
        What ``evaluation.md`` says.
    """
    facts = dict(
        weights=str(weights),
        sha256=file_sha256(weights),
        backbone=read_trained(weights).model['backbone'],
        commit=current_commit(),
        torch=torch.__version__,
    )
    rows = [_row(entry, own) for entry, own in jobs]
    rows = [*_earlier(work_dir / 'evaluation.json', facts['sha256'], {row['task'] for row in rows}), *rows]
    lines = [line for row in rows for line in _lines(row)]
    text = '\n\n'.join(
        part
        for part in [
            f'# What the features of {weights} are worth',
            f'weights: SHA-256 {facts["sha256"]}  ',
            f'code: {facts["commit"] or "no repository"}, torch {torch.__version__}',
            markdown([COLUMNS, *lines]),
            NOTE.format(seeds=', '.join(map(str, sorted({seed for row in rows for seed in row['seeds']}))) or 'none'),
            '\n'.join(f'- {row["task"]}: {row["protocol"]} ({row["config"]})' for row in rows),
            '\n'.join(f'- {line}' for line in _obstacles(planned)),
        ]
        if part
    )
    (work_dir / 'evaluation.md').write_text(text + '\n')
    not_run = {_name(entry): entry.obstacle for entry in planned if entry.obstacle}
    record = dict(facts, tasks=rows, not_run=not_run)
    (work_dir / 'evaluation.json').write_text(json.dumps(record, indent=1) + '\n')
    return text + f'\n\nwritten: {work_dir / "evaluation.md"}, {work_dir / "evaluation.json"}'


def unknown_numbers(jobs: Sequence[tuple[Planned, Sequence[Job]]]) -> list[str]:
    """A sentence for each number that a suite shows and a task that is done does not give."""
    rows = [_row(entry, own) for entry, own in jobs]
    return [
        f'{row["task"]} shows {key!r}, and {row["config"]} does not give it; {nearest_names(key, metrics)}'
        for row in rows
        for metrics in row['metrics'][:1]
        for key in row['shows']
        if key not in metrics
    ]


def _earlier(file: Path, sha256: str, now: set[str]) -> list[dict[str, Any]]:
    """The finished rows of an earlier table of the same weights."""
    try:
        record = json.loads(file.read_text())
    except (OSError, ValueError):
        return []
    same = isinstance(record, dict) and record.get('sha256') == sha256
    return [row for row in record['tasks'] if row['task'] not in now and row['metrics']] if same else []


def _row(entry: Planned, jobs: Sequence[Job]) -> dict[str, Any]:
    """All that is known of a task: the numbers of each seed that is done, how they came about."""
    done = [job for job in jobs if job.is_done()]
    records = [json.loads((job.folder / 'done.json').read_text()) for job in done]
    return dict(
        task=_name(entry),
        protocol=entry.task.protocol,
        config=entry.task.config,
        data=entry.data,
        shows=dict(entry.task.shows),
        seeds=[job.seed for job in done],
        metrics=[json.loads(job.output.read_text())['metrics'] for job in done],
        seconds=[record['seconds'] for record in records],
        commits=[record['commit'] for record in records],
        commands=[record['commands'] for record in records],
    )


def _lines(row: Mapping[str, Any]) -> list[list[str]]:
    """A line of the table for each number; only the first one says what all share."""
    shared = [summarise(row['seconds'], '.0f') if row['seconds'] else '', row['data'][:8]]
    lines = []
    for place, (key, heading) in enumerate(row['shows'].items()):
        values = [metrics[key] for metrics in row['metrics'] if key in metrics]
        value = summarise(values, '.1f') if values else 'not finished' if not row['metrics'] else f'no {key}'
        lines.append(['' if place else row['task'], heading, value, *(['', ''] if place else shared)])
    return lines


def _obstacles(planned: Sequence[Planned]) -> list[str]:
    """A line for each suite and reason; the whole reason is in ``evaluation.json``."""
    tasks: dict[tuple[str, str], list[str]] = {}
    for entry in planned:
        if entry.obstacle:
            tasks.setdefault((entry.suite, textwrap.shorten(entry.obstacle, 100, placeholder=' ...')), []).append(
                entry.task.name
            )
    return [f'not run: {suite} ({", ".join(names)}): {reason}' for (suite, reason), names in tasks.items()]


def _name(entry: Planned) -> str:
    return f'{entry.suite}.{entry.task.name}'


def _duration(seconds: float) -> str:
    for size, unit in ((3600, 'h'), (60, 'min')):
        if seconds >= size:
            return f'{seconds / size:.1f} {unit}'
    return f'{seconds:.0f} s'
