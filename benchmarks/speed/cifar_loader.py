"""Loading CIFAR, one view or two: a batch at a time beside torchvision's transforms of one PIL image.

Both loaders read the same made-up images from memory, 50,000 of 32 x 32, smooth noise, in the same order, without
workers, and end in uint8 batches on the CPU; the model normalises. The usual one makes a PIL image of each, transforms
it, turns it into a tensor and stacks the tensors. One view is cropped by ``RandomCrop(32, padding=4)`` and mirrored by
``RandomHorizontalFlip``; each of two also goes through ``ColorJitter`` (p = 0.8) and ``RandomGrayscale`` (p = 0.2).

    OMP_NUM_THREADS=1 python benchmarks/speed/cifar_loader.py
    OMP_NUM_THREADS=1 python benchmarks/speed/cifar_loader.py --views 2

Targets: at least 5x for one view, 9x for two. Exits with 1 where it is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.registry import init_default_scope
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from binssl.datasets import EpochSampler, InMemoryImages, whole_batch

TARGETS = {1: 5.0, 2: 9.0}
CLOCKS: dict[str, Callable[[], float]] = {'wall': time.perf_counter, 'process': time.process_time}
COLOURS = dict(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
CROP, FLIP = dict(type='BatchCrop', size=32, padding=4), dict(type='PhotoFlip')
VIEWS = {
    1: [CROP, FLIP],
    2: [CROP, dict(type='PhotoJitter', p=0.8, **COLOURS), dict(type='PhotoGrayscale', p=0.2), FLIP],
}
Times = dict[str, dict[str, float]]


class OneByOne(Dataset):
    """A sample at a time, as torchvision's CIFAR10 does it."""

    def __init__(self, images: np.ndarray, labels: Sequence[int], views: int) -> None:
        self.images, self.labels, self.views = images, labels, views
        jitter = transforms.RandomApply([transforms.ColorJitter(**COLOURS)], p=0.8)
        colours = [jitter, transforms.RandomGrayscale(p=0.2)] if views == 2 else []
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                *colours,
                transforms.RandomHorizontalFlip(),
                transforms.PILToTensor(),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: tuple[int, int]) -> tuple[list[Tensor], int]:
        index, _ = key
        image = Image.fromarray(self.images[index])
        return [self.transform(image) for _ in range(self.views)], self.labels[index]


def build_loaders(count: int, batch: int, views: int) -> dict[str, DataLoader]:
    """Both loaders over the same images."""
    coarse = torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8)  # neighbours are alike, as in photos
    images = torch.nn.functional.interpolate(coarse, size=32, mode='bilinear')
    labels = torch.randint(0, 10, (count,))
    rows = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())
    one_by_one = OneByOne(rows, labels.tolist(), views)
    whole = InMemoryImages(images, labels, [VIEWS[views]] * views)
    return {
        'one PIL image at a time': DataLoader(one_by_one, batch, sampler=EpochSampler(one_by_one)),
        'a batch at a time': DataLoader(whole, batch, sampler=EpochSampler(whole), collate_fn=whole_batch),
    }


def measure(loaders: Mapping[str, DataLoader], repeats: int) -> Times:
    """Median milliseconds a batch of each loader, in turns."""
    times: dict[str, dict[str, list[float]]] = {name: {clock: [] for clock in CLOCKS} for name in loaders}
    batches: dict[str, Iterator] = {name: iter(loader) for name, loader in loaders.items()}
    for repeat in range(repeats + 1):
        for name in loaders:
            start = {clock: read() for clock, read in CLOCKS.items()}
            next(batches[name])
            for clock, read in CLOCKS.items():
                if repeat:  # the first round makes the order of the epoch
                    times[name][clock].append(1e3 * (read() - start[clock]))
    return {
        name: {clock: statistics.median(values) for clock, values in clocks.items()} for name, clocks in times.items()
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and say whether the target is met."""
    parser = argparse.ArgumentParser(description='CIFAR batches: ours and one by one.')
    parser.add_argument('--views', type=int, choices=tuple(VIEWS), default=1, help='of each image')
    parser.add_argument('--images', type=int, default=50_000, help='of the set')
    parser.add_argument('--batch', type=int, default=256, help='images a batch')
    parser.add_argument('--repeats', type=int, default=50, help='batches timed (medians)')
    parser.add_argument('--threads', type=int, default=1, help='threads of torch')
    parser.add_argument('--clock', choices=tuple(CLOCKS), default='process', help='which one decides')
    parser.add_argument('--out', type=Path, help='also write the numbers to this JSON file')
    args = parser.parse_args(arguments)
    if args.images < (args.repeats + 1) * args.batch:
        parser.error(f'{args.images} images are fewer than {args.repeats} + 1 batches of {args.batch}')
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    init_default_scope('binssl')
    times = measure(build_loaders(args.images, args.batch, args.views), args.repeats)
    usual, ours = times.values()
    print(
        f'batches of {args.batch}, {args.views} view(s), medians of {args.repeats}; {args.threads} thread(s) of '
        f'{os.cpu_count()} cores, {platform.machine()}, torch {torch.__version__}'
    )
    print(f'{"":26}{"ms wall":>9}{"process":>9}{"speed":>8}')
    for name, clocks in times.items():
        speed = usual[args.clock] / clocks[args.clock]
        print(f'{name:26}{clocks["wall"]:9.2f}{clocks["process"]:9.2f}{speed:7.2f}x')
    ratio, target = usual[args.clock] / ours[args.clock], TARGETS[args.views]
    print(f'target ({target:.0f}x): {"met" if ratio >= target else "MISSED"}')
    if args.out:
        args.out.write_text(json.dumps(dict(times, speed=ratio, met=ratio >= target), indent=1) + '\n')
    return 0 if ratio >= target else 1


if __name__ == '__main__':
    raise SystemExit(main())
