"""The rates of a network that is trained on from given weights: every pair of a grid, one after the other."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from binssl.core.files import current_commit, file_sha256, write_json, write_text
from binssl.core.locks import only_one
from binssl.core.tables import markdown
from binssl.engine.config import load_config, metric_config, parse_options
from binssl.engine.training import default_work_dir, parse_training, train, weights_name
from binssl.recipes.job import Job, options_flag
from binssl.recipes.recipe import Step
from binssl.recipes.report import read_curves
from binssl.recipes.runner import RecipeRunner
from binssl.registry import ConfigError

#: OpenSelfSup's for 1 % and 10 % of ImageNet's labels
RATES = (0.001, 0.01, 0.1)
HEAD_FACTORS = (1.0, 10.0, 100.0)

RATE = 'optim_wrapper.optimizer.lr'
FACTOR = 'optim_wrapper.paramwise_cfg.lr_mult.head'


def parse_grid(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The flags of ``tools/train_grid.py``."""
    parser = argparse.ArgumentParser(
        prog='tools/train_grid.py', description='Train a config at every pair of a grid of rates; write a table.'
    )
    parser.add_argument('config', help='path of a config with optim_wrapper.paramwise_cfg.lr_mult.head')
    parser.add_argument('weights', type=Path, help='what every run starts from')
    parser.add_argument('--lrs', type=float, nargs='+', default=list(RATES), metavar='LR', help="the trunk's rates")
    factor_help = "the head's rate is so many times the trunk's"
    parser.add_argument(
        '--head-factors', type=float, nargs='+', default=list(HEAD_FACTORS), metavar='N', help=factor_help
    )
    parser.add_argument('--work-dir', type=Path, help="default: the config's path under work_dirs/, the weights' name")
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--processes', type=int, default=1, metavar='N', help='of each run: one a GPU')
    parser.add_argument('--cfg-options', nargs='+', action='extend', default=[], metavar='key=value')
    return parser.parse_args(arguments)


def run_grid(args: argparse.Namespace, tools: Path) -> None:
    """Check one run, make all that are not done yet by what is in ``tools``, write ``grid.md`` and ``grid.json``.

    Raises:
        ConfigError: a rate that is none, a config without a rate of the head or without top-1 in its validation and
            test, or what stands in the way of a run.
        TrainingError: runs failed; the others are in the table.
    """
    jobs = grid_jobs(args)
    # what stands in the way of one run stands in the way of all: told once, before any
    flags = ['--pretrained', str(args.weights), '--work-dir', str(jobs[0].folder), '--check', str(args.processes)]
    train(parse_training([args.config, *flags, '--resume', 'auto', *options_flag(jobs[0].step.options)]))
    with only_one(jobs[0].work_dir, 'a grid'):
        try:
            RecipeRunner(jobs, tools, 1, args.processes, keep_going=True).run()
        finally:
            print('\n' + write_grid(args, jobs), flush=True)


def grid_jobs(args: argparse.Namespace) -> list[Job]:
    """A run for each pair, named as OpenSelfSup's configs are: ``lr0_01_head100``.

    Raises:
        ConfigError: see :func:`run_grid`.
    """
    for flag, numbers in (('lrs', args.lrs), ('head-factors', args.head_factors)):
        if len(set(numbers)) < len(numbers) or not all(0 < number < float('inf') for number in numbers):
            raise ConfigError(f'--{flag} {numbers} must be positive numbers, each once')
    given = parse_options(args.cfg_options)
    cfg = load_config(args.config, given)
    paramwise = (cfg.get('optim_wrapper') or {}).get('paramwise_cfg') or {}
    if 'head' not in (paramwise.get('lr_mult') or {}):
        raise ConfigError(
            f'{args.config} gives the head no rate of its own, which a grid would set: add '
            'optim_wrapper.paramwise_cfg=dict(lr_mult=dict(head=10))'
        )
    for split, why in (('val', 'by which a grid chooses'), ('test', 'which its table shows')):
        accuracy = metric_config(cfg, f'{split}_evaluator', 'Accuracy')
        if accuracy is None or 1 not in accuracy.get('topk', (1,)) or not cfg.get(f'{split}_dataloader'):
            raise ConfigError(
                f'{args.config} has no top-1 of its {split} data, {why}: set {split}_dataloader, '
                f"{split}_cfg=dict() and {split}_evaluator=[dict(type='Accuracy')]"
            )
    folder = args.work_dir or default_work_dir(args.config) / weights_name(str(args.weights))
    # quoted: a comma in a path would make it a list
    shared = {key: repr(value) if isinstance(value, str) else value for key, value in given.items()}
    jobs = []
    for rate, factor in itertools.product(args.lrs, args.head_factors):
        name, options = f'lr{rate:g}_head{factor:g}'.replace('.', '_'), {**shared, RATE: rate, FACTOR: factor}
        step = Step(name, args.config, 'probe', files=dict(pretrained=str(args.weights)), options=options)
        jobs.append(Job(step, args.seed, folder))
    return jobs


def write_grid(args: argparse.Namespace, jobs: Sequence[Job]) -> str:
    """Write the table of what is done as ``grid.md`` and ``grid.json``; gives the text of the first."""
    rows = [_row(job) for job in jobs]
    done = [row for row in rows if 'validation' in row]
    best = max(done, key=lambda row: row['validation'], default=None)
    lines = [_line(row, row is best) for row in rows]
    digest = file_sha256(args.weights)
    title = f'# {args.config}, rates of trunk and head\n\nweights: {args.weights}, SHA-256 {digest}  '
    told = 'Top-1 in percent after the last epoch, of the validation, which chooses (**), and of the test.'
    head = ['run', 'rate of the trunk', 'of the head', 'validation top-1', 'test top-1']
    shown = [markdown([head, *lines]), '', told if best else 'No run is done.']
    text = '\n'.join([title, f'seed {args.seed}, code {current_commit()}\n', *shown])
    folder = jobs[0].work_dir
    record = dict(
        config=args.config,
        weights=str(args.weights),
        sha256=digest,
        seed=args.seed,
        commit=current_commit(),
        runs=rows,
        best=best and best['run'],
    )
    write_text(folder / 'grid.md', text + '\n')
    write_json(folder / 'grid.json', record)
    return f'{text}\n\nwritten: {folder / "grid.md"}, {folder / "grid.json"}'


def _row(job: Job) -> dict[str, Any]:
    """What is known of a run."""
    rate, factor = job.step.options[RATE], job.step.options[FACTOR]
    row: dict[str, Any] = dict(run=job.step.name, lr=rate, head_factor=factor, folder=str(job.folder))
    if job.is_done():
        row |= dict(validation=read_curves(job.folder)['val_top1'][-1][1], test=job.metrics)
    return row


def _line(row: Mapping[str, Any], is_best: bool) -> list[str]:
    rates = [row['run'], f'{row["lr"]:g}', f'{row["lr"] * row["head_factor"]:g}']
    if 'validation' not in row:
        return [*rates, 'not done', '']
    validated = f'{row["validation"]:.2f}'
    return [*rates, f'**{validated}**' if is_best else validated, f'{row["test"]["top1"]:.2f}']
