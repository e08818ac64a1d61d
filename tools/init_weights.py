"""Write the trunk of a config's model as it is initialised to a weights file: what training has to beat.

python tools/init_weights.py configs/selfsup/burn/stage2_digits.py random.pth --seed 0
"""

from __future__ import annotations

import argparse

from binssl.core.command_line import run_command
from binssl.engine.weights import write_initial_weights


def main() -> None:
    """Parse, build, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='a config with a model')
    parser.add_argument('out', help='the weights file to write; its folder is made')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--force', action='store_true', help='overwrite an existing file')
    args = parser.parse_args()
    print(write_initial_weights(args.config, args.out, args.seed, args.force))


if __name__ == '__main__':
    run_command(main)
