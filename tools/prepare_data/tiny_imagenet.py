"""Sort TinyImageNet into class folders for both splits, which folder readers expect: OUT/{train,val}/WNID/IMAGE.JPEG.

    python tools/prepare_data/tiny_imagenet.py

The published layout, which `TinyImageNet` reads as it is, stays; the images are hard links to it where that can be.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from binssl.core.command_line import run_command
from binssl.data_tools.tiny_imagenet import sort_tiny_imagenet


def main() -> None:
    """Parse, sort."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', type=Path, nargs='?', default=Path('data/tiny-imagenet-200'), help='with wnids.txt')
    parser.add_argument('--out', type=Path, metavar='DIR', help='default: ROOT with -folders at its end')
    args = parser.parse_args()
    out = args.out or args.root.with_name(args.root.name + '-folders')
    print(*sort_tiny_imagenet(args.root, out), sep='\n')


if __name__ == '__main__':
    run_command(main, how_to_go_on='the same command goes on where it was')
