"""What the Runner adds to an iteration: a plain loop beside it, at the start of a run and 100,000 iterations later.

A linear layer, its data in memory, SGD with momentum. The Runner trains with all its default hooks (seeds,
gradient audit, watch for NaN, progress, checkpoints) and a learning-rate schedule; after every window of its
iterations the plain loop (the same kind of loader, model and optimiser; forward, backward, step) runs a window
of its own, so that both see the same machine. A number is a median over windows.

    python benchmarks/speed/runner_overhead.py

Target: at most 0.3 ms over the plain loop, and within 20 % of that at iteration 100,000. Exits with 1 where it
is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from binssl.algorithms import Encoder
from binssl.datasets import EpochSampler, whole_batch
from binssl.datasets.base import BatchedDataset
from binssl.engine import Runner
from binssl.registry import ALGORITHMS, DATASETS, HOOKS

BATCH, WIDTH, CLASSES = 32, 16, 10
LIMIT_MS, GROWTH = 0.3, 1.2


@DATASETS.register_module(force=True)
class VectorsInMemory(BatchedDataset):
    """``length`` random vectors with labels, given out in whole batches."""

    def __init__(self, length: int, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.vectors = torch.randn(length, WIDTH, generator=generator)
        self.labels = torch.randint(CLASSES, (length,), generator=generator)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> dict[str, Tensor]:
        indices = torch.tensor([index for index, _ in keys])
        return dict(images=self.vectors[indices], labels=self.labels[indices])


@ALGORITHMS.register_module(force=True)
class OneLayer(BaseModel):
    """A linear layer under cross-entropy, its losses parsed as every algorithm's."""

    views = 1
    needs_labels = False
    parse_losses = Encoder.parse_losses
    check_run = Encoder.check_run

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(WIDTH, CLASSES)

    def forward(self, images: Tensor, labels: Tensor, mode: str = 'loss') -> dict[str, Tensor]:
        return dict(loss=F.cross_entropy(self.layer(images), labels))


@dataclass
class Clock:
    """Milliseconds an iteration, of the wall and of this process, window by window."""

    wall: list[float] = field(default_factory=list)
    process: list[float] = field(default_factory=list)

    def start(self) -> None:
        """Begin a window."""
        self._wall, self._process = time.perf_counter(), time.process_time()

    def stop(self, iterations: int) -> None:
        """End a window of ``iterations``."""
        self.wall.append(1e3 * (time.perf_counter() - self._wall) / iterations)
        self.process.append(1e3 * (time.process_time() - self._process) / iterations)


class PlainLoop:
    """The same training as a person would write it down, a window at a time."""

    def __init__(self, window: int) -> None:
        self.layer = nn.Linear(WIDTH, CLASSES)
        self.optimizer = torch.optim.SGD(self.layer.parameters(), lr=0.01, momentum=0.9, fused=True)
        dataset = VectorsInMemory(window * BATCH)
        self.sampler = EpochSampler(dataset)
        self.loader: DataLoader = DataLoader(dataset, BATCH, sampler=self.sampler, collate_fn=whole_batch)
        self.epoch = 0

    def run(self) -> None:
        """One window: an epoch of the loader."""
        self.sampler.set_epoch(self.epoch)
        self.epoch += 1
        for batch in self.loader:
            loss = F.cross_entropy(self.layer(batch['images']), batch['labels'])
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()


@HOOKS.register_module(force=True)
class WindowHook(Hook):
    """Times the Runner's epochs, and after each of them the plain loop's."""

    priority = 'LOWEST'

    def __init__(self, window: int) -> None:
        self.window = window
        self.plain = PlainLoop(window)
        self.runner_clock, self.plain_clock = Clock(), Clock()

    def before_train_epoch(self, runner: Any) -> None:
        self.runner_clock.start()

    def after_train_epoch(self, runner: Any) -> None:
        self.runner_clock.stop(self.window)
        self.plain_clock.start()
        self.plain.run()
        self.plain_clock.stop(self.window)


def config(iterations: int, window: int, work_dir: str) -> Config:
    """A run of ``iterations`` in epochs of ``window``; checkpoints at the end only."""
    return Config(
        dict(
            model=dict(type='OneLayer'),
            work_dir=work_dir,
            train_dataloader=dict(
                batch_size=BATCH,
                num_workers=0,
                drop_last=True,
                sampler=dict(type='EpochSampler', shuffle=True),
                collate_fn=dict(type='whole_batch'),
                dataset=dict(type='VectorsInMemory', length=window * BATCH),
            ),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9)),
            schedules=dict(lr=dict(target='lr', curve='cosine', end=0.0)),
            train_cfg=dict(type='EpochLoop', max_epochs=iterations // window),
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=10**9)),
            custom_hooks=[dict(type='WindowHook', window=window)],
            visualizer=dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')]),
            log_level='WARNING',
        )
    )


def measure(iterations: int, window: int) -> WindowHook:
    """Run both loops; the hook that comes back holds the times of all windows."""
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner.from_cfg(config(iterations, window, folder))
        runner.train()
        return next(hook for hook in runner.hooks if isinstance(hook, WindowHook))


def summary(times: WindowHook, share: int) -> dict[str, dict[str, float]]:
    """Medians over the first and the last ``share`` windows, the very first (a warm-up) left out."""
    result: dict[str, dict[str, float]] = {}
    for clock in ('wall', 'process'):
        ours, plain = getattr(times.runner_clock, clock)[1:], getattr(times.plain_clock, clock)[1:]
        over = [one - other for one, other in zip(ours, plain, strict=True)]
        result[clock] = {}
        for name, values in dict(plain=plain, runner=ours, overhead=over).items():
            result[clock][f'{name}_ms'] = statistics.median(values[:share])
            result[clock][f'{name}_end_ms'] = statistics.median(values[-share:])
    return result


def is_met(figures: dict[str, float]) -> bool:
    """The target: a small overhead that does not grow."""
    start, end = figures['overhead_ms'], figures['overhead_end_ms']
    return start <= LIMIT_MS and end <= GROWTH * LIMIT_MS and end <= max(GROWTH * start, start + 0.02)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and say whether the target is met."""
    parser = argparse.ArgumentParser(description='What the Runner adds to an iteration.')
    parser.add_argument('--iterations', type=int, default=105_000, help='of the Runner, and of the plain loop')
    parser.add_argument('--window', type=int, default=500, help='iterations timed in one piece')
    parser.add_argument('--share', type=int, default=20, help='windows at each end that count')
    parser.add_argument(
        '--clock',
        choices=('wall', 'process'),
        default='wall',
        help="which decides; on a busy machine take 'process', the processor time of this one",
    )
    parser.add_argument('--out', type=Path, help='also write the numbers to this JSON file')
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    result = summary(measure(args.iterations, args.window), args.share)
    print(
        f'{args.iterations} iterations, medians of {args.share} windows of {args.window}; one thread of '
        f'{os.cpu_count()} cores, {platform.machine()}, torch {torch.__version__}'
    )
    print(f'{"ms an iteration":16}{"plain":>8}{"Runner":>8}{"over":>8} | at the end: plain  Runner    over')
    for clock, values in result.items():
        start = [values[f'{name}_ms'] for name in ('plain', 'runner', 'overhead')]
        end = [values[f'{name}_end_ms'] for name in ('plain', 'runner', 'overhead')]
        print(f'{clock:16}' + ''.join(f'{v:8.3f}' for v in start) + ' |         ' + ''.join(f'{v:8.3f}' for v in end))
    met = is_met(result[args.clock])
    print(f'target ({LIMIT_MS} ms, within {GROWTH - 1:.0%} of the start at the end): {"met" if met else "MISSED"}')
    if args.out:
        args.out.write_text(json.dumps(dict(result, iterations=args.iterations, met=met), indent=1) + '\n')
    return 0 if met else 1


if __name__ == '__main__':
    raise SystemExit(main())
