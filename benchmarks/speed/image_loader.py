"""Loading photos with two views each: ours beside the published way, in images a second for one core.

All read the same JPEG files through real loader workers, in the same order, and end in batches on the CPU. The
published way is that of MoCo v2's code with a single decode: PIL, torchvision's transforms of one image (v1), floats
that are normalised in the worker. Ours ends in uint8, which the model normalises. The ways take turns, an epoch each,
so that all see the same machine; a speed is the median over the rounds of the ratio to the published way's epoch of
the same round. Processor time is the workers' alone: the batch part is not in it where it runs elsewhere. The floor is
decoding by cv2 and nothing else. The 256-px cache is as tools/prepare_data/resize_cache.py makes it. A worker's own
memory is what it does not share with the process that started it.

The photos are made up (made_up_photos.py). ``--photos`` takes a folder CLASS/IMAGE of real ones instead.

    OMP_NUM_THREADS=1 python benchmarks/speed/image_loader.py

Targets: in the table; exits with 1 where one is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from made_up_photos import make_photos
from mmengine.registry import init_default_scope
from PIL import Image, ImageFilter
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate
from torchvision import transforms

from binssl.data_tools.resize_cache import make_cache
from binssl.datasets import EpochSampler, ImageFolder, whole_batch

CLOCKS: dict[str, Callable[[], float]] = {'wall': time.perf_counter, 'process': time.process_time}
CACHED_SIDE = 256
PUBLISHED = 'published way'
Figures = dict[str, Any]


def _views(interpolation: str, whole: bool) -> list[list[dict]]:
    """MoCo v2's two views: all of them in the worker, or the crop alone."""
    crop = [dict(type='PhotoCrop', size=224, scale=(0.2, 1.0), interpolation=interpolation)]
    rest = [
        dict(type='PhotoJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, p=0.8),
        dict(type='PhotoGrayscale', p=0.2),
        dict(type='PhotoBlur', p=0.5, sigma=(0.1, 2.0)),
        dict(type='PhotoFlip', p=0.5),
    ]
    return [[*crop, *(rest if whole else [])]] * 2


class Variant(NamedTuple):
    """A way of ours: its views, whether it reads the small files, and the speed it is to have (published way: 1)."""

    views: list[list[dict]]
    cached: bool
    target: float


VARIANTS = {
    'ours': Variant(_views('antialias', whole=True), False, 4.2),
    'ours, linear crop': Variant(_views('linear', whole=True), False, 4.4),
    'batch part elsewhere': Variant(_views('antialias', whole=False), False, 6.0),
    '... linear crop': Variant(_views('linear', whole=False), False, 6.5),
    '... 256-px cache': Variant(_views('antialias', whole=False), True, 11.0),
    '... 256-px cache, linear crop': Variant(_views('linear', whole=False), True, 12.0),
}
FLOORS = {False: 'decode alone', True: 'decode alone, 256-px cache'}


class Blur:
    """MoCo v2's Gaussian blur."""

    def __call__(self, image: Image.Image) -> Image.Image:
        return image.filter(ImageFilter.GaussianBlur(float(np.random.uniform(0.1, 2.0))))


class Published(Dataset):
    """Two views of a file as published code makes them."""

    def __init__(self, folder: Path) -> None:
        self.paths = [str(path) for path in sorted(folder.glob('*/*'))]
        jitter = transforms.ColorJitter(0.4, 0.4, 0.4, 0.1)
        self.transform = transforms.Compose(
            [
                transforms.RandomResizedCrop(224, scale=(0.2, 1.0)),
                transforms.RandomApply([jitter], p=0.8),
                transforms.RandomGrayscale(p=0.2),
                transforms.RandomApply([Blur()], p=0.5),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
            ]
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        with Image.open(self.paths[key[0]]) as file:
            image = file.convert('RGB')
        return dict(images=[self.transform(image) for _ in range(2)], indices=key[0])


class Decoded(Dataset):
    """Decodes a file by cv2 and gives nothing of it away: the floor."""

    def __init__(self, folder: Path) -> None:
        self.paths = [str(path) for path in sorted(folder.glob('*/*'))]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        pixels = cv2.imdecode(np.fromfile(self.paths[key[0]], dtype=np.uint8), cv2.IMREAD_COLOR)
        return dict(images=[int(pixels[0, 0, 0])], indices=key[0])


class Timed:
    """Puts into each batch who made it and the processor seconds that this process has used so far."""

    def __init__(self, collate: Callable[[Any], dict]) -> None:
        self.collate = collate

    def __call__(self, samples: Any) -> dict[str, Any]:
        return dict(self.collate(samples), worker=(os.getpid(), time.process_time()))


class Way:
    """One way of loading: its loader, and what its workers have used so far."""

    def __init__(self, dataset: Dataset, collate: Callable[[Any], dict], batch: int, workers: int) -> None:
        self.loader = DataLoader(
            dataset,
            batch,
            sampler=EpochSampler(dataset),
            collate_fn=Timed(collate),
            num_workers=workers,
            persistent_workers=workers > 0,
            drop_last=True,
        )
        self.workers = max(1, workers)
        self.used: dict[int, float] = {}
        self.batch_bytes = 0

    def epoch(self, number: int) -> dict[str, float]:
        """Images a second for one core, by each clock, over an epoch."""
        self.loader.sampler.set_epoch(number)
        start, used = time.perf_counter(), {}
        for batch in self.loader:
            process, seconds = batch['worker']
            used[process] = seconds
            self.batch_bytes = sum(view.nbytes for view in batch['images'] if isinstance(view, Tensor))
        images = len(self.loader) * self.loader.batch_size
        process = sum(seconds - self.used.get(worker, 0.0) for worker, seconds in used.items())
        self.used |= used
        return dict(wall=images / (time.perf_counter() - start) / self.workers, process=images / process)

    def private_megabytes(self) -> float | None:
        """Of the worker that holds most; None where the system does not tell (it is Linux that does)."""
        try:
            return max(private_bytes(process) for process in self.used) / 1e6
        except OSError:
            return None


def private_bytes(process: int) -> int:
    """Memory of a process that no other one shares."""
    lines = Path(f'/proc/{process}/smaps_rollup').read_text(encoding='ascii').splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith('Private_'))


def build_ways(photos: Path, cache: Path, names: Sequence[str], batch: int, workers: int) -> dict[str, Way]:
    """The published way, the variants of ours called ``names``, and the floors that they stand on."""
    ways = {PUBLISHED: Way(Published(photos), default_collate, batch, workers)}
    for name in names:
        variant = VARIANTS[name]
        data = ImageFolder(cache if variant.cached else photos, variant.views)
        ways[name] = Way(data, whole_batch, batch, workers)
    for cached in sorted({VARIANTS[name].cached for name in names}):
        ways[FLOORS[cached]] = Way(Decoded(cache if cached else photos), default_collate, batch, workers)
    return ways


def measure(ways: Mapping[str, Way], repeats: int) -> Figures:
    """Rates, ratios and memory of all ways, epoch by epoch in turns; the first round warms up."""
    rates: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for number in range(repeats + 1):
        for name, way in ways.items():
            rates[name].append(way.epoch(number))
    rounds = {name: epochs[1:] for name, epochs in rates.items()}
    result = {}
    for name, way in ways.items():
        floor = FLOORS[VARIANTS[name].cached if name in VARIANTS else name == FLOORS[True]]
        figures = {clock: summary(rounds[name], rounds[PUBLISHED], rounds.get(floor), clock) for clock in CLOCKS}
        result[name] = dict(figures, private_mb=way.private_megabytes(), batch_mb=way.batch_bytes / 1e6)
    return result


def summary(ours: Sequence[dict], published: Sequence[dict], floor: Sequence[dict] | None, clock: str) -> Figures:
    """The median rate, the ratio to the published rate of the same round with its quartiles, the share of the floor."""
    ratios = [mine[clock] / theirs[clock] for mine, theirs in zip(ours, published, strict=True)]
    spread = statistics.quantiles(ratios, n=4, method='inclusive') if len(ratios) > 1 else ratios * 3
    share = None
    if floor is not None:
        share = statistics.median(mine[clock] / bound[clock] for mine, bound in zip(ours, floor, strict=True))
    rate = statistics.median(epoch[clock] for epoch in ours)
    return dict(rate=rate, low=spread[0], speed=spread[1], high=spread[2], share_of_floor=share)


def describe(name: str, figures: Figures, clock: str) -> str:
    """A row of the table."""
    chosen, memory = figures[clock], figures['private_mb']
    target = f'{VARIANTS[name].target:.1f}x' if name in VARIANTS else ''
    share = '' if chosen['share_of_floor'] is None else f'{chosen["share_of_floor"]:.0%}'
    return (
        f'{name:31}{figures["process"]["rate"]:9.0f}{figures["wall"]["rate"]:8.0f}{chosen["speed"]:8.2f}x'
        f'{chosen["low"]:7.2f} to {chosen["high"]:5.2f}{target:>8}{share:>9}'
        f'{"?" if memory is None else format(memory, ".0f"):>9}{figures["batch_mb"]:9.1f}'
    )


def find_missed(result: Mapping[str, Figures], clock: str) -> list[str]:
    """The variants that miss their target."""
    return [name for name in result if name in VARIANTS and result[name][clock]['speed'] < VARIANTS[name].target]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What to measure."""
    parser = argparse.ArgumentParser(description='Two views of photos: images a second for one core.')
    parser.add_argument('--images', type=int, default=300, help='photos to make up')
    parser.add_argument('--photos', type=Path, help='a folder CLASS/IMAGE of JPEGs to read instead')
    parser.add_argument('--batch', type=int, default=30, help='images a batch')
    parser.add_argument('--workers', type=int, default=2, help='of each loader; 0: none, all in this process')
    parser.add_argument('--repeats', type=int, default=9, help='epochs timed of each way, in turns')
    parser.add_argument(
        '--only',
        nargs='+',
        choices=VARIANTS,
        default=list(VARIANTS),
        metavar='VARIANT',
        help=f'of ours: {", ".join(map(repr, VARIANTS))}',
    )
    parser.add_argument('--clock', choices=tuple(CLOCKS), default='process', help='which one decides')
    parser.add_argument('--out', type=Path, help='also write the numbers to this JSON file')
    args = parser.parse_args(arguments)
    if args.photos is None and args.images < max(4, args.batch * max(1, args.workers)):
        parser.error(f'{args.images} photos are not a batch of {args.batch} for each of {args.workers} worker(s)')
    return args


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the photos, measure, print, and say whether the targets are met."""
    args = parse(arguments)
    torch.set_num_threads(1)
    cv2.setNumThreads(0)  # the workers inherit it
    init_default_scope('binssl')
    with tempfile.TemporaryDirectory() as folder:
        photos = args.photos or make_photos(Path(folder, 'photos'), args.images)
        sizes = [path.stat().st_size for path in photos.glob('*/*')]
        print(
            f'{len(sizes)} photos of {statistics.mean(sizes) / 1e3:.0f} KB, two views of 224 px, batches of '
            f'{args.batch}, {args.workers} worker(s), medians of {args.repeats} epochs; {os.cpu_count()} cores, '
            f'{platform.machine()}, torch {torch.__version__}, cv2 {cv2.__version__}'
        )
        cached = any(VARIANTS[name].cached for name in args.only)
        cache = Path(folder, 'cache') if cached else photos
        if cached:
            make_cache(photos, cache, CACHED_SIDE)
        result = measure(build_ways(photos, cache, args.only, args.batch, args.workers), args.repeats)
    print(
        f'{"images/s for one core":31}{"process":>9}{"wall":>8}{"speed":>9}{"quartiles":>16}{"target":>8}'
        f'{"of floor":>9}{"MB own":>9}{"MB/batch":>9}'
    )
    for name, figures in result.items():
        print(describe(name, figures, args.clock))
    missed = find_missed(result, args.clock)
    print(f'targets: {"met" if not missed else "MISSED by " + ", ".join(missed)}')
    if args.out:
        result |= dict(photo_bytes=statistics.mean(sizes), met=not missed)
        args.out.write_text(json.dumps(result, indent=1) + '\n')
    return 1 if missed else 0


if __name__ == '__main__':
    raise SystemExit(main())
