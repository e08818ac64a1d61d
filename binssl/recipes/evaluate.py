"""One table of what a network's features are worth: every task that the data at hand allow, each done once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from binssl.checkpoints import load_model, read_trained
from binssl.core.locks import only_one
from binssl.engine.launch import check_devices, processes
from binssl.engine.training import weights_name
from binssl.recipes.job import Job
from binssl.recipes.plan import Planned, plan_task
from binssl.recipes.results import describe_plan, unknown_numbers, write_results
from binssl.recipes.runner import RecipeRunner
from binssl.recipes.suite import check_tasks, read_suites
from binssl.registry import ConfigError

ASK_ABOVE_SECONDS = 3600


def parse_evaluation(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The flags of ``tools/evaluate.py``."""
    parser = argparse.ArgumentParser(
        prog='tools/evaluate.py', description='Put a weights file through the downstream tasks; write one table.'
    )
    parser.add_argument('weights', type=Path, help='a weights file or training checkpoint')
    parser.add_argument('--tasks', nargs='+', default=[], metavar='TASK', help='such as knn linear semi; default: all')
    parser.add_argument(
        '--suite',
        nargs='+',
        default=[],
        metavar='NAME',
        help='of configs/benchmarks/suites, or a file of your own; default: all',
    )
    parser.add_argument('--work-dir', type=Path, help='default: work_dirs/evaluate/ and the name of the weights')
    parser.add_argument('--seeds', type=int, default=1, metavar='N', help='of what trains: mean and spread of N')
    parser.add_argument('--processes', type=int, default=1, metavar='N', help='of each task: one a GPU')
    parser.add_argument('--workers', type=int, metavar='N', help='tasks at a time; default: one a core')
    parser.add_argument('--plan', action='store_true', help='only say what would run, and about how long')
    parser.add_argument('--yes', action='store_true', help='do not ask before hours of work')
    return parser.parse_args(arguments)


def evaluate(args: argparse.Namespace, tools: Path) -> None:
    """Plan, ask, run what is not done yet, write the table.

    Args:
        args: see :func:`parse_evaluation`.
        tools: folder of the command line tools.

    Raises:
        ConfigError: the weights have no trunk, a task or suite does not exist, or nothing can run.
        TrainingError: tasks failed; what the others came to is in the table.
    """
    _check_numbers(args)
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
            print('\n' + write_results(planned, jobs, args.weights, work_dir), flush=True)
    if wrong := unknown_numbers(jobs):
        raise ConfigError('\n'.join(wrong))


def make_plan(args: argparse.Namespace) -> list[Planned]:
    """What every task that was asked for comes to.

    Raises:
        ConfigError: see :func:`evaluate`.
    """
    suites = read_suites(args.suite)
    check_tasks(args.tasks, suites)
    with processes() as device:
        model = load_model(args.weights, device)
        side = read_trained(args.weights).model['backbone'].get('input_size')
        return [plan_task(suite, task, model, device, side) for suite in suites for task in suite.chosen(args.tasks)]


def make_jobs(entry: Planned, weights: Path, seeds: int, work_dir: Path) -> list[Job]:
    """The runs of a task: one a seed, or one alone where nothing is trained, which no seed would change."""
    step = entry.task.step(entry.suite, str(weights), entry.data)
    return [Job(step, seed, work_dir) for seed in range(seeds if entry.task.kind == 'probe' else 1)]


def _check_numbers(args: argparse.Namespace) -> None:
    for flag in ('seeds', 'processes', 'workers'):
        number = getattr(args, flag)
        if number is not None and number < 1:
            raise ConfigError(f'--{flag} {number} must be at least 1')
    problem = check_devices(args.processes)
    if problem:
        raise ConfigError(problem)


def _ask(seconds: float, agreed: bool) -> None:
    """Raises a ConfigError where the work is long and nobody agrees to it."""
    if agreed or seconds < ASK_ABOVE_SECONDS:
        return
    hours = f'about {seconds / 3600:.1f} hours'
    if not sys.stdin.isatty():
        raise ConfigError(f'this is {hours} of work: choose --tasks or --suite, or agree with --yes')
    if input(f'this is {hours} of work; go on? [y/N] ').strip().lower() not in ('y', 'yes'):
        raise ConfigError('nothing was run; choose --tasks or --suite')
