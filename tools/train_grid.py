"""Train a config from given weights at every pair of rates of trunk and head, and write a table; done runs are kept.

python tools/train_grid.py configs/benchmarks/semi_classification/digits_10percent.py WEIGHTS --lrs 0.01 0.1
"""

from pathlib import Path

from binssl.core.command_line import run_command
from binssl.recipes.grid import parse_grid, run_grid

if __name__ == '__main__':
    run_command(
        lambda: run_grid(parse_grid(), Path(__file__).parent), how_to_go_on='the same command goes on where it was'
    )
