"""Sort ImageNet (ILSVRC 2012) from its archives into data/imagenet/{train,val}/WNID/.

    python tools/prepare_data/imagenet.py --train ILSVRC2012_img_train.tar \\
        --val ILSVRC2012_img_val.tar --val-labels ILSVRC2012_devkit_t12.tar.gz

Either archive alone will do. --val-labels takes the development kit (its .tar.gz or folder), Kaggle's
LOC_val_solution.csv, or a text file with a WNID a line. The archives stay. Interrupted, the same command goes on where
it was; a folder that is there is compared with the archive and left as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from binssl.core.command_line import run_command
from binssl.data_tools.imagenet import read_validation_labels, unpack


def main() -> None:
    """Parse, check, unpack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--train', type=Path, metavar='TAR')
    parser.add_argument('--val', type=Path, metavar='TAR')
    parser.add_argument('--val-labels', type=Path, metavar='PATH', help='which class each validation image has')
    parser.add_argument('--out', type=Path, default=Path('data/imagenet'), metavar='DIR')
    parser.add_argument('--skip-checksums', action='store_true', help='take archives that are not the published ones')
    args = parser.parse_args()
    if not args.train and not args.val:
        parser.error('give --train TAR, --val TAR, or both')
    if bool(args.val) != bool(args.val_labels):
        parser.error('--val and --val-labels go together: the archive does not say which class an image has')
    checksum = not args.skip_checksums
    # before the hours that train takes
    wnids = read_validation_labels(args.val_labels, checksum) if args.val_labels else None
    for split, archive in (('val', args.val), ('train', args.train)):
        if archive:
            print(*unpack(split, archive, args.out / split, wnids, checksum), sep='\n', flush=True)


if __name__ == '__main__':
    run_command(main, how_to_go_on='the same command goes on where it was')
