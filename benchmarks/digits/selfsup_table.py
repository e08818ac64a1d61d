"""The label-free methods on the digits side by side: linear and k-NN accuracy, mean and spread of the seeds.

    python benchmarks/digits/selfsup_table.py

Two jobs at a time on one thread each, at most 60 core-seconds a stage, one teacher a seed for all rows; interrupted,
the same command goes on where it was. The table replaces that in benchmarks/RESULTS.md, with command, commit, machine.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
from pathlib import Path
from typing import Any

import torch

from binssl.engine.commands import run_command
from binssl.engine.recipe import read_recipe
from binssl.engine.recipe_job import Job
from binssl.engine.recipe_report import gather_records
from binssl.engine.recipe_runner import run_recipe
from binssl.evaluation.report import Records, markdown, table
from binssl.registry import ConfigError

ROOT = Path(__file__).parents[2]
BEGIN, END = '<!-- selfsup_table -->', '<!-- end of selfsup_table -->'
MOST_CORE_SECONDS = 60
LEAST_GAIN = 10.0  # points of linear accuracy over a random network
CLAIMED = ('MoCo v2, tuned', '+ distillation', 'distillation only', 'BURN')
COLUMNS = ('linear_top1', 'knn_top1')


def parse() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seeds', type=int, default=3, metavar='N')
    parser.add_argument('--workers', type=int, default=2, metavar='N', help='jobs at a time')
    parser.add_argument('--work-dir', help="default: the recipe's")
    parser.add_argument('--recipe', default='configs/recipes/selfsup_digits.py')
    parser.add_argument('--results', type=Path, default=ROOT / 'benchmarks' / 'RESULTS.md', help='file with the table')
    return parser.parse_args()


def with_section(text: str, section: str) -> str:
    """``text`` with what stands between the two marks replaced.

    Raises:
        ConfigError: the marks are not there.
    """
    if BEGIN not in text or END not in text:
        raise ConfigError(f'the results file has no {BEGIN} and {END} to put the table between')
    before, rest = text.split(BEGIN, 1)
    return f'{before}{BEGIN}\n{section}\n{END}{rest.split(END, 1)[1]}'


def read_done(jobs: list[Job]) -> dict[str, dict[str, Any]]:
    """The record of every job, by its label."""
    return {job.label: json.loads((job.folder / 'done.json').read_text()) for job in jobs}


def longest_stage(done: dict[str, dict[str, Any]]) -> tuple[str, float]:
    """The job that took most of the processor, and its core-seconds; infinite for one that was interrupted."""
    spent = {label: record.get('core_seconds', math.inf) for label, record in done.items()}
    label = max(spent, key=lambda name: spent[name])
    return label, spent[label]


def machine(workers: int) -> str:
    """What it ran on."""
    info = Path('/proc/cpuinfo')
    names = [line.partition(': ')[2] for line in info.read_text().splitlines() if line.startswith('model name')] \
        if info.is_file() else []  # fmt: skip
    name = names[0] if names else platform.machine()
    return f'{len(os.sched_getaffinity(0))} cores of {name}, {workers} jobs at a time, torch {torch.__version__}'


def verdicts(records: Records, longest: tuple[str, float]) -> dict[str, bool]:
    """What the table has to show, and whether it does."""
    means = {row: sum(seed['linear_top1'] for seed in seeds) / len(seeds) for row, seeds in records.items()}
    gains = {row: means[row] - means['random binary'] for row in CLAIMED}
    told = {f'{row}: {gain:+.1f} points over random': gain >= LEAST_GAIN for row, gain in gains.items()}
    label, seconds = longest
    return {**told, f'longest stage: {label}, {seconds:.0f} core-seconds': seconds <= MOST_CORE_SECONDS}


def main() -> None:
    """Run, then write the table."""
    args = parse()
    with_section(args.results.read_text(), '')  # a file without its marks is found out before the work
    recipe = read_recipe(args.recipe)
    jobs = run_recipe(recipe, ROOT / 'tools', args.work_dir, seeds=args.seeds, workers=args.workers)
    records = gather_records(recipe, jobs)
    shown = {row: [{key: seed[key] for key in COLUMNS} for seed in seeds] for row, seeds in records.items()}
    drawn = markdown(table(shown))
    done = read_done(jobs)
    checks = verdicts(records, longest_stage(done))
    command = ' '.join(['python', 'benchmarks/digits/selfsup_table.py', *sys.argv[1:]])
    commits = ', '.join(sorted({str(record['commit']) for record in done.values()}))
    facts = f'`{command}`, commit {commits}; {args.seeds} seeds, mean (lowest..highest); {machine(args.workers)}.'
    lines = [f'- {claim}: {"yes" if holds else "NO"}' for claim, holds in checks.items()]
    section = '\n'.join([facts, '', drawn, '', *lines])
    args.results.write_text(with_section(args.results.read_text(), section))
    print('\n' + section + f'\n\nwritten to {args.results}')
    if not all(checks.values()):
        sys.exit(1)


if __name__ == '__main__':
    run_command(main)
