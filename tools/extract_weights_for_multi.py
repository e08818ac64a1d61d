"""Write what the next stage starts from (backbone, neck, student head, target head) to a weights file.

    python tools/extract_weights_for_multi.py work_dirs/selfsup/burn/stage1/latest.pth stage1.pth
    python tools/train.py configs/selfsup/burn/stage2.py --cfg-options load_from=stage1.pth
"""

from __future__ import annotations

import argparse

from binssl.checkpoints import MULTI_STAGE, extract_weights
from binssl.engine.commands import run_command


def main() -> None:
    """Parse, extract, print the table."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', help='a training checkpoint of the earlier stage')
    parser.add_argument('out', help='the weights file to write; its folder is made')
    parser.add_argument('--force', action='store_true', help='overwrite an existing file')
    args = parser.parse_args()
    print(extract_weights(args.checkpoint, args.out, MULTI_STAGE, args.force))


if __name__ == '__main__':
    run_command(main)
