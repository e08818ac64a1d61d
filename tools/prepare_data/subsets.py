"""Write lists of 1 % and 10 % of ImageNet's labelled training images: meta/train_labeled_{1,10}percent.txt.

    python tools/prepare_data/subsets.py data/imagenet
    python tools/prepare_data/subsets.py data/imagenet --percent 1 --official 1percent.txt

With --official it is the subset that SimCLR published and papers report on: 1percent.txt or 10percent.txt of
github.com/google-research/simclr, folder imagenet_subsets. Without, it is another: drawn, stratified by class, seeded.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from binssl.core.command_line import run_command
from binssl.data_tools.lists import write_subset


def main() -> None:
    """Parse, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', type=Path, help='the folder with train/CLASS/IMAGE or meta/train_labeled.txt')
    parser.add_argument('--percent', type=float, nargs='+', default=[1.0, 10.0])
    parser.add_argument('--official', type=Path, metavar='FILE', help='file names, one a line; for one percentage')
    parser.add_argument('--seed', type=int, default=0, help='of the draw')
    parser.add_argument('--overwrite', action='store_true', help='replace subsets that differ')
    args = parser.parse_args()
    if args.official and len(args.percent) != 1:
        parser.error('--official is the list of one percentage: give it with --percent 1 or --percent 10')
    for percent in args.percent:
        print(*write_subset(args.root, percent, args.seed, args.official, args.overwrite), sep='\n')


if __name__ == '__main__':
    run_command(main, how_to_go_on='the same command goes on where it was')
