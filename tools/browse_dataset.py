"""Write contact sheets of what a config makes of its images: each original with its views, file name and label.

python tools/browse_dataset.py configs/selfsup/moco/reactnet_digits.py --out sheets
"""

from __future__ import annotations

import argparse

from binssl.core.command_line import run_command
from binssl.data_tools.browse import SPLITS, browse
from binssl.datasets.download import add_download_flag
from binssl.engine.config import parse_options


def main() -> None:
    """Parse, draw, print where."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='a config with data')
    parser.add_argument('--out', required=True, metavar='DIR', help='a folder for the sheets; made if need be')
    parser.add_argument('--images', type=int, default=12, metavar='N', help='evenly spread over the set; default: 12')
    parser.add_argument('--split', choices=SPLITS, default='train', help="whose loader's data; default: train")
    parser.add_argument('--epoch', type=int, default=0, help="which epoch's augmentation; default: 0")
    parser.add_argument('--force', action='store_true', help='overwrite sheets that are there')
    parser.add_argument('--cfg-options', nargs='+', action='extend', default=[], metavar='key=value')
    add_download_flag(parser)
    args = parser.parse_args()
    options = parse_options(args.cfg_options)
    for file in browse(args.config, args.out, args.images, args.split, args.epoch, options, args.download, args.force):
        print(file)


if __name__ == '__main__':
    run_command(main)
