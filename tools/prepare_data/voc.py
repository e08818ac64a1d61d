"""Write lists of the images of Pascal VOC 2007, 2012 and 07+12, and which of the 20 classes are in them.

    python tools/prepare_data/voc.py data/VOCdevkit

ROOT is what VOCtrainval_06-Nov-2007.tar, VOCtest_06-Nov-2007.tar and VOCtrainval_11-May-2012.tar extract to. Written
are voc07_trainval, voc07_test, voc12_trainval and voc0712_trainval: .txt with a path a line, relative to ROOT, and
_targets.npy, int8 (N, 20), with 1 for a class that is in the image, 0 if only as a difficult one, -1 if not.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from binssl.core.command_line import run_command
from binssl.data_tools.lists import write_voc_lists


def main() -> None:
    """Parse, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', type=Path, nargs='?', default=Path('data/VOCdevkit'), help='with VOC2007 and VOC2012')
    parser.add_argument('--out', type=Path, metavar='DIR', help='default: ROOT/lists')
    parser.add_argument('--overwrite', action='store_true', help='replace files that differ')
    args = parser.parse_args()
    print(*write_voc_lists(args.root, args.out or args.root / 'lists', args.overwrite), sep='\n')


if __name__ == '__main__':
    run_command(main, how_to_go_on='the same command goes on where it was')
