"""What it costs to watch a binary run: an iteration with all watching hooks beside one without.

Two networks, a digits-size one and ReActNet-A, train with SGD on random images in memory. Windows of one iteration
without hooks and of one that all four hooks look at take turns on the same model, so that both see the same machine;
what looking adds is the median of the differences. An iteration that no hook looks at costs only the calls, which are
timed on their own. Of a mean iteration that is

    share = (looking + (interval - 1) calls) / (interval plain)

ReActNet-A has few and small images here: a training has more of them, and the same weights to compare.

    OMP_NUM_THREADS=1 python benchmarks/speed/watching.py
    python benchmarks/speed/watching.py --device cuda --clock wall

Target: below 2 % at an interval of 50. Exits with 1 where a network misses it.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from mmengine.hooks import Hook

from binssl.binary import BINARY
from binssl.hooks import ActivationSignHook, DistributionHook, FeatureSpreadHook, WeightSignHook
from binssl.registry import ALGORITHMS

LIMIT = 0.02
CLOCKS: dict[str, Callable[[], float]] = {'wall': time.perf_counter, 'process': time.process_time}
NETWORKS: dict[str, dict[str, Any]] = {
    'digits': dict(
        backbone=dict(
            type='ReActNet',
            channels=[16, 32, 64, 64, 128, 128],
            strides=[1, 2, 1, 2, 1],
            stem_stride=1,
            conv_cfg=BINARY,
        ),
        width=128,
        size=8,
        batch=128,
    ),
    'ReActNet-A': dict(backbone=dict(type='ReActNet', conv_cfg=BINARY), width=1024, size=128, batch=16),
}


class Training:
    """A classifier, its optimiser and one batch; what the hooks ask of a Runner."""

    def __init__(self, backbone: dict, width: int, size: int, batch: int, device: str) -> None:
        torch.manual_seed(0)
        head = dict(type='LinearHead', in_channels=width, num_classes=10)
        self.model = ALGORITHMS.build(dict(type='Classifier', backbone=backbone, head=head)).to(device)
        optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-3, momentum=0.9)
        self.images = torch.randn(batch, 3, size, size, device=device)
        self.labels = torch.arange(batch, device=device) % 10
        logger = logging.getLogger('watching')
        logger.setLevel(logging.ERROR)  # random images learn nothing, and the hooks would say so
        self.runner = SimpleNamespace(
            model=self.model, iter=0, epoch=0, accumulative_counts=1, cfg={}, logger=logger, optim_wrapper=optimizer
        )

    def iterate(self, hooks: Sequence[Hook]) -> None:
        """One iteration, between the calls that the Runner would make."""
        for hook in hooks:
            hook.before_train_iter(self.runner, 0)
        loss = self.model(self.images, self.labels, mode='loss')['loss']
        loss.backward()
        self.runner.optim_wrapper.step()
        self.runner.optim_wrapper.zero_grad()
        for hook in hooks:
            hook.after_train_iter(self.runner, 0, outputs=dict(loss=loss))
        self.runner.iter += 1

    def call(self, hooks: Sequence[Hook]) -> None:
        """The calls alone."""
        for hook in hooks:
            hook.before_train_iter(self.runner, 0)
        for hook in hooks:
            hook.after_train_iter(self.runner, 0)


def build_hooks(runner: Any, interval: int) -> list[Hook]:
    """All four hooks at the start of a run."""
    hooks = [WeightSignHook(interval), ActivationSignHook(interval), FeatureSpreadHook(interval), DistributionHook()]
    for hook in hooks:
        hook.before_train(runner)
    return hooks


def milliseconds(work: Callable[..., None], *args: Any) -> dict[str, float]:
    """Of ``work`` by both clocks, until a GPU has done it."""
    start = {clock: read() for clock, read in CLOCKS.items()}
    work(*args)
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return {clock: 1e3 * (read() - start[clock]) for clock, read in CLOCKS.items()}


def measure(training: Training, interval: int, repeats: int) -> dict[str, dict[str, float]]:
    """Milliseconds of a plain iteration, of looking and of the calls, and the share, by each clock."""
    looking, waiting = build_hooks(training.runner, 1), build_hooks(training.runner, 10**9)
    training.iterate(looking)  # warms up
    windows = [(milliseconds(training.iterate, []), milliseconds(training.iterate, looking)) for _ in range(repeats)]
    calls = [milliseconds(training.call, waiting) for _ in range(1000)]
    return {
        clock: summary(
            [(plain[clock], watched[clock]) for plain, watched in windows], [call[clock] for call in calls], interval
        )
        for clock in CLOCKS
    }


def summary(windows: Sequence[tuple[float, float]], calls: Sequence[float], interval: int) -> dict[str, float]:
    """Medians of (plain, watched) windows and of calls, and what they come to; the module's docstring has the maths."""
    plain = statistics.median(plain for plain, _ in windows)
    looking = statistics.median(watched - plain for plain, watched in windows)
    call = statistics.mean(calls)  # shorter than the tick of some clocks
    return dict(
        plain_ms=plain, looking_ms=looking, calls_ms=call, share=(looking + (interval - 1) * call) / (interval * plain)
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure both networks, print, and say whether the target is met."""
    parser = argparse.ArgumentParser(description='What it costs to watch a binary run.')
    parser.add_argument('--interval', type=int, default=50, help='iterations between two looks')
    parser.add_argument('--repeats', type=int, default=15, help='windows of each kind')
    parser.add_argument('--networks', nargs='+', choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument('--batch', type=int, help='images a batch; default: 128 small ones, 16 of 128 px')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--threads', type=int, default=1, help='threads of torch')
    parser.add_argument('--clock', choices=tuple(CLOCKS), default='process', help='which one decides')
    parser.add_argument('--out', type=Path, help='also write the numbers to this JSON file')
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    print(
        f'one iteration of {args.interval} is watched; medians of {args.repeats}; {args.device}, {args.threads} '
        f'thread(s) of {os.cpu_count()} cores, {platform.machine()}, torch {torch.__version__}'
    )
    print(f'{"ms":20}{"plain":>9}{"looking":>9}{"calls":>8}{"share":>8}')
    result = {}
    for name in args.networks:
        network = NETWORKS[name] if args.batch is None else dict(NETWORKS[name], batch=args.batch)
        result[name] = measure(Training(**network, device=args.device), args.interval, args.repeats)
        for clock, figures in result[name].items():
            print(
                f'{name:12}{clock:8}{figures["plain_ms"]:9.2f}{figures["looking_ms"]:9.2f}'
                f'{figures["calls_ms"]:8.4f}{figures["share"]:8.2%}'
            )
    met = all(figures[args.clock]['share'] < LIMIT for figures in result.values())
    print(f'target (below {LIMIT:.0%}): {"met" if met else "MISSED"}')
    if args.out:
        args.out.write_text(json.dumps(dict(result, interval=args.interval, met=met), indent=1) + '\n')
    return 0 if met else 1


if __name__ == '__main__':
    raise SystemExit(main())
