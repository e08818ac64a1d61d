"""Finding the images of a set at a start: listed, by the index that is kept, and by torchvision's ImageFolder.

Makes empty files in class folders with names as ImageNet has them, and a shuffled list of them as BURN has it, in a
folder of its own, which is removed at the end; a tenth of ImageNet unless told otherwise. Each way is run in turns.
Times are CPU seconds (the folders are in the system's memory: on a disk or a network the listing waits for it, which
the kept index does for one question a folder). Memory is the highest that Python's allocators saw, in a run of its own.

    OMP_NUM_THREADS=1 python benchmarks/speed/index_start.py
    OMP_NUM_THREADS=1 python benchmarks/speed/index_start.py --images 1281000 --folders 1000
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import pickle
import random
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

from torchvision.datasets import ImageFolder

from binssl.datasets import index_cache
from binssl.datasets.file_index import index_folder, index_list

Ways = dict[str, Callable[[], Any]]


def make_files(root: Path, images: int, folders: int) -> None:
    """``root/train/CLASS/*.JPEG``, all empty, and the list ``root/train.txt``."""
    lines = []
    for label in range(folders):
        name = f'n{label:08d}'
        (root / 'train' / name).mkdir(parents=True)
        for number in range(images // folders):
            file = f'{name}/{name}_{7 * number}.JPEG'
            os.close(os.open(root / 'train' / file, os.O_CREAT))
            lines.append(f'{file} {label}\n')
    random.Random(0).shuffle(lines)
    (root / 'train.txt').write_text(''.join(lines))


def ways(root: Path) -> Ways:
    """What is compared; those called 'kept' come after those that keep."""
    folder, list_file = root / 'train', root / 'train.txt'

    def anew(find: Callable[[], Any]) -> Any:
        for file in (root / index_cache.FOLDER).glob('*'):
            file.unlink()
        return find()

    return {
        "torchvision's ImageFolder": lambda: ImageFolder(os.fspath(folder)).samples,
        'folders listed': lambda: anew(lambda: index_folder(folder)),
        'folders, index kept': lambda: index_folder(folder),
        'list read': lambda: anew(lambda: index_list(list_file, [folder])),
        'list, index kept': lambda: index_list(list_file, [folder]),
    }


def measure(compared: Ways, repeats: int) -> dict[str, dict[str, float]]:
    """Median CPU seconds, highest memory and bytes sent to a worker of each way."""
    times: dict[str, list[float]] = {name: [] for name in compared}
    for _ in range(repeats):
        for name, find in compared.items():
            start = time.process_time()
            find()
            times[name].append(time.process_time() - start)
    rows = {}
    for name, find in compared.items():
        tracemalloc.start()
        found = find()
        megabytes = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        sent = len(ForkingPickler.dumps(found, pickle.HIGHEST_PROTOCOL)) / 1e6
        rows[name] = dict(seconds=statistics.median(times[name]), megabytes=megabytes, sent_megabytes=sent)
    return rows


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=int, default=128_100)
    parser.add_argument('--folders', type=int, default=100)
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--place', default='/dev/shm', help='where the files are made')
    parser.add_argument('--out', type=Path, help='a JSON file for the figures')
    args = parser.parse_args()
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory(dir=args.place) as root:
        make_files(Path(root), args.images, args.folders)
        time.sleep(index_cache.SETTLED_SECONDS + 1)  # what has just changed is not kept
        rows = measure(ways(Path(root)), args.repeats)
    print(f'{args.images // args.folders * args.folders:,} images in {args.folders:,} folders')
    for name, row in rows.items():
        print(
            f'{name:28} {row["seconds"]:8.3f} s  {row["megabytes"]:7.1f} MB at most  '
            f'{row["sent_megabytes"]:8.3f} MB sent to a worker'
        )
    if args.out:
        args.out.write_text(json.dumps(rows, indent=2))


if __name__ == '__main__':
    main()
