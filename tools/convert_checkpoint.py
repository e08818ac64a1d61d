"""Convert a published checkpoint to a weights file of ours, with a report of what was taken and dropped.

python tools/convert_checkpoint.py moco_v2_800ep_pretrain.pth.tar moco_v2.pth --from moco_v2_resnet50
"""

from __future__ import annotations

import argparse

from binssl.checkpoints import CONVERSIONS, convert_checkpoint
from binssl.core.command_line import run_command


def main() -> None:
    """Parse, convert, print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', help='the published file')
    parser.add_argument('out', help='the weights file to write; its folder is made')
    parser.add_argument(
        '--from', dest='name', required=True, metavar='NAME', help='what it holds: ' + ', '.join(CONVERSIONS)
    )
    parser.add_argument('--force', action='store_true', help='overwrite an existing file')
    args = parser.parse_args()
    print(convert_checkpoint(args.source, args.out, args.name, args.force))


if __name__ == '__main__':
    run_command(main)
