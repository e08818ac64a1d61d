"""Write the trunk of a trained model (backbone and neck) to a weights file, for evaluation and deployment.

    python tools/extract_weights.py work_dirs/selfsup/burn/stage2/latest.pth weights.pth
"""

from __future__ import annotations

import argparse

from binssl.checkpoints import TRUNK, extract_weights
from binssl.engine.commands import run_command


def main() -> None:
    """Parse, extract, print the table."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', help='a training checkpoint or a weights file')
    parser.add_argument('out', help='the weights file to write; its folder is made')
    parser.add_argument('--force', action='store_true', help='overwrite an existing file')
    args = parser.parse_args()
    print(extract_weights(args.checkpoint, args.out, TRUNK, args.force))


if __name__ == '__main__':
    run_command(main)
