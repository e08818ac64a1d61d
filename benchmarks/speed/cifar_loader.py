"""Loading CIFAR with crop and flip: a batch at a time beside torchvision's transforms of one PIL image.

Both loaders read the same made-up images from memory, 50,000 of 32 x 32, in the same order, without workers, and end in
a uint8 batch on the CPU; the model normalises. The usual one makes a PIL image of each, crops it by
``RandomCrop(32, padding=4)``, mirrors it by ``RandomHorizontalFlip``, turns it into a tensor and stacks the tensors.

    OMP_NUM_THREADS=1 python benchmarks/speed/cifar_loader.py

Target: at least 5x. Exits with 1 where it is missed.
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

TARGET = 5.0
CLOCKS: dict[str, Callable[[], float]] = {'wall': time.perf_counter, 'process': time.process_time}
VIEW = [dict(type='BatchCrop', size=32, padding=4), dict(type='BatchFlip')]
Times = dict[str, dict[str, float]]


class OneByOne(Dataset):
    """A sample at a time, as torchvision's CIFAR10 does it."""

    def __init__(self, images: np.ndarray, labels: Sequence[int]) -> None:
        self.images, self.labels = images, labels
        self.transform = transforms.Compose(
            [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), transforms.PILToTensor()]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int]:
        index, _ = key
        return self.transform(Image.fromarray(self.images[index])), self.labels[index]


def build_loaders(count: int, batch: int) -> dict[str, DataLoader]:
    """Both loaders over the same images."""
    images = torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8)
    labels = torch.randint(0, 10, (count,))
    rows = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())
    one_by_one, whole = OneByOne(rows, labels.tolist()), InMemoryImages(images, labels, [VIEW])
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
    return {name: {clock: statistics.median(values) for clock, values in clocks.items()}
            for name, clocks in times.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and say whether the target is met."""
    parser = argparse.ArgumentParser(description='CIFAR batches, cropped and mirrored: ours and one by one.')
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
    times = measure(build_loaders(args.images, args.batch), args.repeats)
    usual, ours = times.values()
    print(f'batches of {args.batch}, crop and flip, medians of {args.repeats}; {args.threads} thread(s) of '
          f'{os.cpu_count()} cores, {platform.machine()}, torch {torch.__version__}')
    print(f'{"":26}{"ms wall":>9}{"process":>9}{"speed":>8}')
    for name, clocks in times.items():
        speed = usual[args.clock] / clocks[args.clock]
        print(f'{name:26}{clocks["wall"]:9.2f}{clocks["process"]:9.2f}{speed:7.2f}x')
    ratio = usual[args.clock] / ours[args.clock]
    print(f'target ({TARGET:.0f}x): {"met" if ratio >= TARGET else "MISSED"}')
    if args.out:
        args.out.write_text(json.dumps(dict(times, speed=ratio, met=ratio >= TARGET), indent=1) + '\n')
    return 0 if ratio >= TARGET else 1


if __name__ == '__main__':
    raise SystemExit(main())
