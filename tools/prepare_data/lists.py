"""Write the list files of an image folder, numbered as OpenSelfSup and BURN do: meta/{train,val}{,_labeled}.txt.

    python tools/prepare_data/lists.py data/imagenet
    python tools/prepare_data/lists.py data/imagenet --link-by-id data/imagenet_ids

Lines are PATH, or PATH LABEL; meta/class_ids.txt says which class folder has which integer id. --link-by-id makes
folders named by those ids (train/000 to train/999), as links, for code that expects them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from binssl.core.command_line import run_command
from binssl.data_tools.lists import link_by_id, write_lists


def main() -> None:
    """Parse, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', type=Path, help='the folder with train/CLASS/IMAGE and val/CLASS/IMAGE')
    parser.add_argument('--splits', nargs='+', help='default: train and val, whichever is there')
    parser.add_argument('--link-by-id', type=Path, metavar='DIR', help='also make folders of integer names there')
    parser.add_argument('--overwrite', action='store_true', help='replace lists that differ')
    args = parser.parse_args()
    print(*write_lists(args.root, args.splits, args.overwrite), sep='\n')
    if args.link_by_id:
        print(*link_by_id(args.root, args.link_by_id, args.splits), sep='\n')


if __name__ == '__main__':
    run_command(main, how_to_go_on='the same command goes on where it was')
