"""Run a recipe: all its steps, then a table and a picture. Interrupted, the same command goes on where it was.

python tools/run_recipe.py configs/recipes/burn_digits.py --seeds 3
"""

from __future__ import annotations

import argparse
from pathlib import Path

from binssl.core.command_line import run_command
from binssl.recipes.recipe import read_recipe
from binssl.recipes.report import draw_report, gather_embedding, gather_records, read_curves, write_tables
from binssl.recipes.runner import run_recipe


def parse() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('recipe')
    parser.add_argument('--work-dir', help="default: the recipe's")
    parser.add_argument('--until', metavar='STEP', help='run this step and what it needs, and stop')
    parser.add_argument('--full', action='store_true', help='also the optional steps')
    parser.add_argument('--seeds', type=int, default=1, metavar='N', help='seeds 0 to N-1: mean and spread')
    parser.add_argument('--workers', type=int, metavar='N', help='steps at a time; default: one a core')
    parser.add_argument('--processes', type=int, default=1, metavar='N', help='of each training and test: one a GPU')
    return parser.parse_args()


def main() -> None:
    """Run, then report."""
    args = parse()
    recipe = read_recipe(args.recipe)
    jobs = run_recipe(
        recipe, Path(__file__).parent, args.work_dir, args.until, args.full, args.seeds, args.workers, args.processes
    )
    if args.until:
        print(f'stopped after {args.until}, as asked: {jobs[-1].output}')
        return
    work_dir = jobs[0].work_dir
    print('\n' + write_tables(recipe.title, gather_records(recipe, jobs), work_dir))
    if recipe.picture:
        curves = {
            name: read_curves(job.folder)
            for job in jobs
            for name in [job.step.name]
            if job.seed == 0 and name in recipe.picture['curves']
        }
        print(f'\npicture: {draw_report(curves, *gather_embedding(recipe, jobs), work_dir / "quickstart.png")}')


if __name__ == '__main__':
    run_command(main, how_to_go_on='the same command goes on where it was')
