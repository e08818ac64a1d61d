"""One table of what a network's features are worth (``tools/evaluate.py``): every task that the data at hand allow."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from binssl.checkpoints import load_model, read_trained
from binssl.core.command_line import check_at_least_one
from binssl.core.files import current_commit, file_sha256, read_json, write_json, write_text
from binssl.core.locks import only_one
from binssl.core.tables import markdown, summarise
from binssl.engine.launch import check_devices, processes
from binssl.engine.training import weights_name
from binssl.recipes.job import Job
from binssl.recipes.plan import Planned, plan_task
from binssl.recipes.recipe import TAKES, check_tasks, read_suites
from binssl.recipes.runner import RecipeRunner
from binssl.registry import ConfigError, nearest_names

ASK_ABOVE_SECONDS = 3600
COLUMNS = ('task', 'measured', 'value', 'seconds', 'data')
NOTE = (
    'Values in percent, seeds {seeds}; seconds are wall time of the whole task. Data: the first 8 digits of the '
    'SHA-256 of all that was read; evaluation.json has it whole, with the command lines.'
)


def parse_evaluation(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The flags of ``tools/evaluate.py``."""
    parser = argparse.ArgumentParser(
        prog='tools/evaluate.py', description='Put a weights file through the downstream tasks; write one table.'
    )
    parser.add_argument('weights', type=Path, help='a weights file or training checkpoint')
    parser.add_argument('--tasks', nargs='+', default=[], metavar='TASK', help='such as knn linear semi; default: all')
    suite_help = 'of configs/benchmarks/suites, or a file of your own; default: all'
    parser.add_argument('--suite', nargs='+', default=[], metavar='NAME', help=suite_help)
    parser.add_argument('--work-dir', type=Path, help='default: work_dirs/evaluate/ and the name of the weights')
    parser.add_argument('--seeds', type=int, default=1, metavar='N', help='of what trains: mean and spread of N')
    parser.add_argument('--processes', type=int, default=1, metavar='N', help='of each task: one a GPU')
    parser.add_argument('--workers', type=int, metavar='N', help='tasks at a time; default: one a core')
    parser.add_argument('--plan', action='store_true', help='only say what would run, and about how long')
    parser.add_argument('--yes', action='store_true', help='do not ask before hours of work')
    return parser.parse_args(arguments)


def evaluate(args: argparse.Namespace, tools: Path) -> None:
    """Plan, ask, run what is not done yet by what is in ``tools``, write the table.

    Raises:
        ConfigError: the weights have no trunk, a task or suite does not exist, or nothing can run.
        TrainingError: tasks failed; what the others came to is in the table.
    """
    check_at_least_one(seeds=args.seeds, processes=args.processes, workers=args.workers)
    if problem := check_devices(args.processes):
        raise ConfigError(problem)
    planned = make_plan(args)
    able = [entry for entry in planned if not entry.obstacle]
    print(describe_plan(planned), flush=True)
    if args.plan:
        return
    if not able:
        raise ConfigError('none of these tasks can run here: what each of them lacks stands above')
    work_dir = args.work_dir or Path('work_dirs/evaluate') / weights_name(str(args.weights))
    jobs = [(entry, make_jobs(entry, args.weights, args.seeds, work_dir)) for entry in able]
    left = sum(entry.seconds for entry, own in jobs for job in own if not job.is_done())
    _ask(left / args.processes, args.yes)
    with only_one(work_dir, 'an evaluation'):
        try:
            every = [job for _, own in jobs for job in own]
            RecipeRunner(every, tools, args.workers, args.processes, keep_going=True).run()
        finally:
            print('\n' + write_evaluation(planned, jobs, args.weights, work_dir), flush=True)
    if wrong := unknown_numbers(jobs):
        raise ConfigError('\n'.join(wrong))


def make_plan(args: argparse.Namespace) -> list[Planned]:
    """What every task that was asked for comes to."""
    suites = read_suites(args.suite)
    check_tasks(args.tasks, suites)
    with processes() as device:
        model = load_model(args.weights, device)
        side = read_trained(args.weights).model['backbone'].get('input_size')
        return [plan_task(suite, task, model, device, side) for suite in suites for task in suite.chosen(args.tasks)]


def make_jobs(entry: Planned, weights: Path, seeds: int, work_dir: Path) -> list[Job]:
    """The runs of a task: one a seed, or one alone where nothing is trained, which no seed would change."""
    task = entry.task
    step = replace(task, name=entry.name, files={TAKES[task.kind]: str(weights)}, data=entry.data)
    return [Job(step, seed, work_dir) for seed in range(seeds if task.kind == 'probe' else 1)]


def _ask(seconds: float, agreed: bool) -> None:
    """Raises a ConfigError where the work is long and nobody agrees to it."""
    if agreed or seconds < ASK_ABOVE_SECONDS:
        return
    hours = f'about {seconds / 3600:.1f} hours'
    if not sys.stdin.isatty():
        raise ConfigError(f'this is {hours} of work: choose --tasks or --suite, or agree with --yes')
    if input(f'this is {hours} of work; go on? [y/N] ').strip().lower() not in ('y', 'yes'):
        raise ConfigError('nothing was run; choose --tasks or --suite')


def describe_plan(planned: Sequence[Planned]) -> str:
    """What will run, with how many images go through the network and about how long that takes; and what will not."""
    head = ('task', 'passes of an image', 'about')
    lines = [(entry.name, f'{entry.images:,}', _duration(entry.seconds)) for entry in planned if not entry.obstacle]
    text = markdown([head, *lines]) + '\n(in one process; what is fitted to features comes on top)' if lines else ''
    return '\n'.join([text, *_obstacles(planned)]).strip()


#: of the table, as :func:`read_json` takes it
_ROW = dict(
    task=str, protocol=str, config=str, data=str, shows={...: str}, seeds=[int], metrics=[{...: float}], seconds=[float]
)


def write_evaluation(
    planned: Sequence[Planned], jobs: Sequence[tuple[Planned, Sequence[Job]]], weights: Path, work_dir: Path
) -> str:
    """Write ``evaluation.md`` and ``evaluation.json`` into ``work_dir``.

    Tasks that were done before, and were not asked for now, stay in the table.

    Args:
        planned: every task that was asked for.
        jobs: the runs of those that can run, a seed each; what is not done is told as such.

    Returns:
        What ``evaluation.md`` says, and where it is.
    """
    facts = dict(
        weights=str(weights),
        sha256=file_sha256(weights),
        backbone=read_trained(weights).model['backbone'],
        commit=current_commit(),
        torch=torch.__version__,
    )
    rows = [_row(entry, own) for entry, own in jobs]
    before = read_json(work_dir / 'evaluation.json', sha256=str, tasks=[_ROW])
    now = {row['task'] for row in rows}
    if before.get('sha256') == facts['sha256']:
        rows = [*(row for row in before['tasks'] if row['task'] not in now and row['metrics']), *rows]
    seeds = ', '.join(map(str, sorted({seed for row in rows for seed in row['seeds']}))) or 'none'
    lines = [line for row in rows for line in _lines(row)]
    text = '\n\n'.join(
        part
        for part in [
            f'# What the features of {weights} are worth',
            f'weights: SHA-256 {facts["sha256"]}  ',
            f'code: {facts["commit"] or "no repository"}, torch {torch.__version__}',
            markdown([COLUMNS, *lines]),
            NOTE.format(seeds=seeds),
            '\n'.join(f'- {row["task"]}: {row["protocol"]} ({row["config"]})' for row in rows),
            '\n'.join(f'- {line}' for line in _obstacles(planned)),
        ]
        if part
    )
    write_text(work_dir / 'evaluation.md', text + '\n')
    not_run = {entry.name: entry.obstacle for entry in planned if entry.obstacle}
    write_json(work_dir / 'evaluation.json', dict(facts, tasks=rows, not_run=not_run))
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


def _row(entry: Planned, jobs: Sequence[Job]) -> dict[str, Any]:
    """All that is known of a task: the numbers of each seed that is done, how they came about."""
    done = [job for job in jobs if job.is_done()]
    records = [job.record for job in done]
    return dict(
        task=entry.name,
        protocol=entry.task.protocol,
        config=entry.task.config,
        data=entry.data,
        shows=dict(entry.task.shows),
        seeds=[job.seed for job in done],
        metrics=[job.metrics for job in done],
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
            reason = textwrap.shorten(entry.obstacle, 100, placeholder=' ...')
            tasks.setdefault((entry.suite, reason), []).append(entry.task.name)
    return [f'not run: {suite} ({", ".join(names)}): {reason}' for (suite, reason), names in tasks.items()]


def _duration(seconds: float) -> str:
    for size, unit in ((3600, 'h'), (60, 'min')):
        if seconds >= size:
            return f'{seconds / size:.1f} {unit}'
    return f'{seconds:.0f} s'
