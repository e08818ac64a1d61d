"""What a network's features are worth, in one table: python tools/evaluate.py WEIGHTS --tasks knn linear semi

Runs every task of configs/benchmarks/suites whose data are there; the same command goes on where it was.
"""

from pathlib import Path

from binssl.core.command_line import run_command
from binssl.recipes.evaluate import evaluate, parse_evaluation

if __name__ == '__main__':
    run_command(
        lambda: evaluate(parse_evaluation(), Path(__file__).parent),
        how_to_go_on='the same command goes on where it was',
    )
