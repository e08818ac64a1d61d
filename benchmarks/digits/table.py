"""The methods on the digits side by side, mean and spread of the seeds, and what the table has to show.

    python benchmarks/digits/table.py selfsup       # label-free: linear and k-NN accuracy of features
    python benchmarks/digits/table.py supervised    # classifiers beside their real-valued twins

Two jobs at a time on one thread each; interrupted, the same command goes on where it was. The table replaces that in
benchmarks/RESULTS.md, with command, commit, machine.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import statistics
import sys
from pathlib import Path
from typing import Any

import torch

from binssl.core.command_line import run_command
from binssl.core.tables import markdown
from binssl.recipes.job import Job
from binssl.recipes.recipe import read_recipe
from binssl.recipes.report import Records, gather_records, table
from binssl.recipes.runner import run_recipe
from binssl.registry import ConfigError

ROOT = Path(__file__).parents[2]
MOST_CORE_SECONDS = 60  # of a label-free stage
LEAST_GAIN = 10.0  # points of linear accuracy over a random network
CLAIMED = ('MoCo v2, tuned', '+ distillation', 'distillation only', 'BURN')
MOST_LOSS = 5.0  # points of a classifier below its real-valued twin
LEAST_TOP1 = 90.0  # percent: what a linear classifier of raw pixels reaches
TWINS = {
    'ReCU ResNet-20': 'ReCU ResNet-20, real twin',
    'Bi-Real from scratch': 'Bi-Real from scratch, real twin',
    'Bi-Real step by step': 'Bi-Real step by step, real twin (its step 1)',
    'ReActNet in two steps': 'ReActNet, real twin (the teacher)',
}
COLUMNS = {'selfsup': ('linear_top1', 'knn_top1'), 'supervised': ('top1', 'core_seconds')}


def parse() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('methods', choices=tuple(COLUMNS))
    parser.add_argument('--seeds', type=int, default=3, metavar='N')
    parser.add_argument('--workers', type=int, default=2, metavar='N', help='jobs at a time')
    parser.add_argument('--work-dir', help="default: the recipe's")
    parser.add_argument('--full', action='store_true', help='with the optional rows of the recipe')
    parser.add_argument('--results', type=Path, default=ROOT / 'benchmarks' / 'RESULTS.md', help='file with the table')
    return parser.parse_args()


def with_section(text: str, methods: str, section: str) -> str:
    """``text`` with what stands between the two marks of ``methods`` replaced.

    Raises:
        ConfigError: the marks are not there.
    """
    begin, end = f'<!-- {methods}_table -->', f'<!-- end of {methods}_table -->'
    if begin not in text or end not in text:
        raise ConfigError(f'the results file has no {begin} and {end} to put the table between')
    before, rest = text.split(begin, 1)
    return f'{before}{begin}\n{section}\n{end}{rest.split(end, 1)[1]}'


def read_done(jobs: list[Job]) -> dict[str, dict[str, Any]]:
    """The record of every job, by its label."""
    return {job.label: job.record for job in jobs}


def longest_stage(done: dict[str, dict[str, Any]]) -> tuple[str, float]:
    """The job that took most of the processor, and its core-seconds; infinite for one that was interrupted."""
    spent = {label: record.get('core_seconds', math.inf) for label, record in done.items()}
    label = max(spent, key=lambda name: spent[name])
    return label, spent[label]


def machine(workers: int) -> str:
    """What it ran on."""
    info = Path('/proc/cpuinfo')
    names = (
        [line.partition(': ')[2] for line in info.read_text().splitlines() if line.startswith('model name')]
        if info.is_file()
        else []
    )
    name = names[0] if names else platform.machine()
    return f'{len(os.sched_getaffinity(0))} cores of {name}, {workers} jobs at a time, torch {torch.__version__}'


def means(records: Records, column: str) -> dict[str, float]:
    """The mean over the seeds of one column, by row."""
    return {row: statistics.fmean(seed[column] for seed in seeds) for row, seeds in records.items()}


def selfsup_verdicts(records: Records, longest: tuple[str, float]) -> dict[str, bool]:
    """What the label-free table has to show, and whether it does."""
    linear = means(records, 'linear_top1')
    gains = {row: linear[row] - linear['random binary'] for row in CLAIMED}
    told = {f'{row}: {gain:+.1f} points over random': gain >= LEAST_GAIN for row, gain in gains.items()}
    label, seconds = longest
    return {**told, f'longest stage: {label}, {seconds:.0f} core-seconds': seconds <= MOST_CORE_SECONDS}


def supervised_verdicts(records: Records) -> dict[str, bool]:
    """What the table of classifiers has to show, and whether it does."""
    top1 = means(records, 'top1')
    return {
        f'{row}: {top1[row]:.1f}, {top1[row] - top1[twin]:+.1f} points from its real twin': top1[row] > LEAST_TOP1
        and top1[twin] - top1[row] <= MOST_LOSS
        for row, twin in TWINS.items()
    }


def main() -> None:
    """Run, then write the table."""
    args = parse()
    with_section(args.results.read_text(), args.methods, '')  # a file without its marks is found out before the work
    recipe = read_recipe(f'configs/recipes/{args.methods}_digits.py')
    jobs = run_recipe(recipe, ROOT / 'tools', args.work_dir, full=args.full, seeds=args.seeds, workers=args.workers)
    records = gather_records(recipe, jobs)
    done = read_done(jobs)
    supervised = args.methods == 'supervised'
    checks = supervised_verdicts(records) if supervised else selfsup_verdicts(records, longest_stage(done))
    command = ' '.join(['python', 'benchmarks/digits/table.py', *sys.argv[1:]])
    commits = ', '.join(sorted({str(record['commit']) for record in done.values()}))
    facts = f'`{command}`, commit {commits}; {args.seeds} seeds, mean (lowest..highest); {machine(args.workers)}.'
    shown = {
        row: [{key: seed[key] for key in COLUMNS[args.methods] if key in seed} for seed in seeds]
        for row, seeds in records.items()
    }
    lines = [f'- {claim}: {"yes" if holds else "NO"}' for claim, holds in checks.items()]
    section = '\n'.join([facts, '', markdown(table(shown)), '', *lines])
    args.results.write_text(with_section(args.results.read_text(), args.methods, section))
    print('\n' + section + f'\n\nwritten to {args.results}')
    if not all(checks.values()):
        sys.exit(1)


if __name__ == '__main__':
    run_command(main)
