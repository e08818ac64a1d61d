"""Copy an image folder with shorter sides of 256 px, which decode in about half the time. It is another training set:

    python tools/prepare_data/resize_cache.py data/imagenet data/imagenet_256
    python tools/train.py CONFIG --cfg-options train_dataloader.dataset.root=data/imagenet_256

crops from the small copies are softer than those of the originals and coded as JPEG twice, so numbers trained from them
are not those of the published setting. Nothing uses a cache unless a config names it.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from binssl.core.command_line import run_command
from binssl.data_tools.resize_cache import make_cache


def main() -> None:
    """Parse, resize."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', type=Path, help='a folder with images at any depth')
    parser.add_argument('out', type=Path, help='where the copies go, by the same names')
    parser.add_argument('--size', type=int, default=256, metavar='PIXELS', help='of the shorter side')
    parser.add_argument('--quality', type=int, default=95, help='of the JPEG coding')
    parser.add_argument('--workers', type=int, default=os.cpu_count() or 1, metavar='N', help='threads')
    args = parser.parse_args()
    print(*make_cache(args.source, args.out, args.size, args.quality, args.workers), sep='\n')


if __name__ == '__main__':
    run_command(main, how_to_go_on='the same command goes on where it was')
