"""One step of a momentum teacher: MomentumTeacher.update beside the published loop over the parameters.

The published loop (MoCo, arXiv:1911.05722) makes three new tensors for every parameter:
``key.data = key.data * m + query.data * (1 - m)``. Both follow the same student. They are timed in turns

- alone, again and again: the tensors that the loop makes come back from the allocator as they were left;
- after a training iteration of the student each (forward of both networks, backward, SGD), which is where a
  training has them: the allocator's memory has been used for other things since.

The last row is a bound: one call over two flat buffers of the same size, which no network's parameters are. It
reads both and writes one, so it runs at the speed of the memory: where it is below the target, so is any update
of a float32 teacher by a float32 student.

    OMP_NUM_THREADS=1 python benchmarks/speed/momentum_update.py
    python benchmarks/speed/momentum_update.py --device cuda --clock wall

Target: at least 5x after a training iteration. Exits with 1 where it is missed.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from binssl.algorithms import MomentumTeacher
from binssl.backbones import TorchvisionResNet

MOMENTUM, TARGET = 0.999, 5.0
CLOCKS: dict[str, Callable[[], float]] = {'wall': time.perf_counter, 'process': time.process_time}
Times = dict[str, dict[str, float]]


class Pool(nn.Module):
    """The mean over the map: a neck without parameters."""

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        return maps[-1].mean(dim=(2, 3))


@torch.no_grad()
def published_update(student: nn.Module, teacher: nn.Module) -> None:
    """The loop of the published code."""
    for query, key in zip(student.parameters(), teacher.parameters(), strict=True):
        key.data = key.data * MOMENTUM + query.data * (1.0 - MOMENTUM)


def training_iteration(student: nn.Module, teacher: MomentumTeacher, images: Tensor) -> Callable[[], None]:
    """What a training does between two updates; the loss is of no interest."""
    optimizer = torch.optim.SGD(student.parameters(), lr=1e-6, momentum=0.9)
    pool = Pool()

    def iteration() -> None:
        target = teacher.extract(images)
        (pool(student(images)) - target).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    return iteration


def now() -> dict[str, float]:
    """Both clocks in milliseconds, once a GPU has done what it was given."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return {clock: 1e3 * read() for clock, read in CLOCKS.items()}


def measure(updates: Mapping[str, Callable[[], object]], before: Callable[[], None], repeats: int) -> Times:
    """Median milliseconds of each of ``updates``, in turns; ``before`` runs ahead of every call."""
    times: dict[str, dict[str, list[float]]] = {name: {clock: [] for clock in CLOCKS} for name in updates}
    for repeat in range(repeats + 1):
        for name, update in updates.items():
            before()
            start = now()
            update()
            for clock, end in now().items():
                if repeat:  # the first round warms up
                    times[name][clock].append(end - start[clock])
    return {
        name: {clock: statistics.median(values) for clock, values in clocks.items()} for name, clocks in times.items()
    }


def compare(depth: int, batch: int, size: int, repeats: int, device: str) -> dict[str, Times]:
    """Both updates and the bound, alone and within a training."""
    torch.manual_seed(0)
    student, pool = TorchvisionResNet(depth).to(device), Pool()
    teacher = MomentumTeacher(student, pool, None, MOMENTUM)
    loop_teacher = copy.deepcopy(teacher.backbone)
    ours, theirs = (nn.utils.parameters_to_vector(net.parameters()).detach() for net in (teacher, student))
    updates = {
        'published loop': lambda: published_update(student, loop_teacher),
        'MomentumTeacher': teacher.update,
        'two flat buffers': lambda: ours.lerp_(theirs, 1 - MOMENTUM),
    }
    iteration = training_iteration(student, teacher, torch.randn(batch, 3, size, size, device=device))
    return {
        'alone': measure(updates, lambda: None, repeats),
        'after a training iteration': measure(updates, iteration, repeats),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and say whether the target is met."""
    parser = argparse.ArgumentParser(description="One step of a momentum teacher, ours and the published loop's.")
    parser.add_argument('--depth', type=int, default=50, help='of the ResNet')
    parser.add_argument('--batch', type=int, default=8, help='images of the training iteration')
    parser.add_argument('--size', type=int, default=64, help='their side in pixels')
    parser.add_argument('--repeats', type=int, default=15, help='calls timed (medians)')
    parser.add_argument('--threads', type=int, default=1, help='threads of torch')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--clock', choices=tuple(CLOCKS), default='process', help='which one decides')
    parser.add_argument('--out', type=Path, help='also write the numbers to this JSON file')
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    result = compare(args.depth, args.batch, args.size, args.repeats, args.device)
    print(
        f'ResNet-{args.depth}, float32, {args.device}, medians of {args.repeats}; {args.threads} '
        f'thread(s) of {os.cpu_count()} cores, {platform.machine()}, torch {torch.__version__}'
    )
    for situation, times in result.items():
        print(f'{situation:28}{"ms wall":>9}{"process":>9}{"speed":>8}')
        for name, clocks in times.items():
            speed = times['published loop'][args.clock] / clocks[args.clock]
            print(f'  {name:26}{clocks["wall"]:9.2f}{clocks["process"]:9.2f}{speed:7.2f}x')
    decisive = result['after a training iteration']
    met = decisive['published loop'][args.clock] >= TARGET * decisive['MomentumTeacher'][args.clock]
    print(f'target ({TARGET:.0f}x after a training iteration): {"met" if met else "MISSED"}')
    if args.out:
        args.out.write_text(json.dumps(dict(result, met=met), indent=1) + '\n')
    return 0 if met else 1


if __name__ == '__main__':
    raise SystemExit(main())
