"""InfoNCE against a long queue: time and memory of loss, gradient and hit rates, beside the published formula.

The published formula (MoCo, arXiv:1911.05722) clones the (D, K) queue, which the next keys will overwrite before
the backward pass, concatenates positive and negative logits, divides by the temperature, takes the cross-entropy,
and has the hit rates by top-k (1, 5). Ours reads the (K, D) queue in chunks and takes the gradient on the way; its
hit rates come from the exact rank of the positive. Both give the same numbers, which is checked first.

Memory is the peak of what one forward and backward pass allocates over what was there before: every request to
torch's allocator, those inside operators too, in the order of time, as torch's profiler notes them. It includes
the gradient itself; not included is what a matrix library packs for itself, a few hundred kB on both sides.
Time is in turns, pass by pass; numbers are medians.

    OMP_NUM_THREADS=1 python benchmarks/speed/contrastive_loss.py

Target: 2.4x the speed on one core, and a tenth of the memory. Exits with 1 where one is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from peak_memory import peak_bytes
from torch import Tensor
from torch.nn import functional as F

from binssl.heads.contrastive import hit_rates, info_nce

TEMPERATURE, SPEED_TARGET, MEMORY_TARGET = 0.2, 2.4, 0.1
CLOCKS: dict[str, Callable[[], float]] = {'wall': time.perf_counter, 'process': time.process_time}
Answer = dict[str, Tensor]


def published(query: Tensor, key: Tensor, queue: Tensor) -> Answer:
    """Loss and hit rates of (N, D), (N, D) and a queue (D, K), as the published code computes them."""
    positive = torch.einsum('nd,nd->n', query, key).unsqueeze(1)
    negative = torch.einsum('nd,dk->nk', query, queue.clone().detach())
    logits = torch.cat([positive, negative], dim=1)
    logits /= TEMPERATURE
    target = torch.zeros(len(logits), dtype=torch.int64)
    loss = F.cross_entropy(logits, target)
    with torch.no_grad():
        hits = logits.topk(5, dim=1).indices == target.unsqueeze(1)
        rates = {f'top{k}': 100 * hits[:, :k].float().sum() / len(logits) for k in (1, 5)}
    return {'loss': loss, **rates}


def ours(query: Tensor, key: Tensor, queue: Tensor) -> Answer:
    """The same of (N, D), (N, D) and a queue (K, D), by the loss of ContrastiveHead."""
    loss, rank = info_nce(query, key, queue, TEMPERATURE)
    return {'loss': loss, **hit_rates(rank)}


def make_pass(formula: Callable[..., Answer], query: Tensor, key: Tensor, queue: Tensor) -> Callable[[], Answer]:
    """Forward and backward of ``formula``; its answer holds the gradient of the query too."""
    leaf = query.clone().requires_grad_()

    def run() -> Answer:
        leaf.grad = None
        answer = formula(leaf, key, queue)
        answer['loss'].backward()
        assert leaf.grad is not None
        return {**{name: value.detach() for name, value in answer.items()}, 'gradient': leaf.grad}

    return run


def passes(batch: int, channels: int, length: int) -> dict[str, Callable[[], Answer]]:
    """Both formulas on the same unit vectors; the keys are near enough to their queries to be found at times."""
    generator = torch.Generator().manual_seed(0)
    query, noise, queue = (
        F.normalize(torch.randn(rows, channels, generator=generator)) for rows in (batch, batch, length)
    )
    key = F.normalize(query + 2 * noise)
    return {
        'published': make_pass(published, query, key, queue.t().contiguous()),
        'ours': make_pass(ours, query, key, queue),
    }


def measure(runs: dict[str, Callable[[], Answer]], repeats: int) -> dict[str, dict[str, float]]:
    """Median milliseconds of each of ``runs``, in turns, and the peak of its memory in MB."""
    times: dict[str, dict[str, list[float]]] = {name: {clock: [] for clock in CLOCKS} for name in runs}
    for repeat in range(repeats + 1):
        for name, run in runs.items():
            starts = {clock: read() for clock, read in CLOCKS.items()}
            run()
            for clock, read in CLOCKS.items():
                if repeat:  # the first round warms up
                    times[name][clock].append(1e3 * (read() - starts[clock]))
    return {
        name: {
            **{f'{clock}_ms': statistics.median(values) for clock, values in times[name].items()},
            'peak_mb': peak_bytes(run) / 1e6,
        }
        for name, run in runs.items()
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Check that both agree, measure, print, and say whether the targets are met."""
    parser = argparse.ArgumentParser(description='InfoNCE against a long queue, ours and the published formula.')
    parser.add_argument('--batch', type=int, default=256, help='queries')
    parser.add_argument('--channels', type=int, default=128, help='of a query')
    parser.add_argument('--length', type=int, default=65536, help='keys in the queue')
    parser.add_argument('--repeats', type=int, default=15, help='timed passes (medians)')
    parser.add_argument('--threads', type=int, default=1, help='threads of torch')
    parser.add_argument('--clock', choices=tuple(CLOCKS), default='process', help='which one decides')
    parser.add_argument('--out', type=Path, help='also write the numbers to this JSON file')
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    runs = passes(args.batch, args.channels, args.length)
    torch.testing.assert_close(runs['ours'](), runs['published'](), rtol=1e-4, atol=1e-7)
    result = measure(runs, args.repeats)
    speed = result['published'][f'{args.clock}_ms'] / result['ours'][f'{args.clock}_ms']
    memory = result['ours']['peak_mb'] / result['published']['peak_mb']
    print(
        f'{args.batch} queries of {args.channels}, {args.length} keys, float32, medians of {args.repeats}; '
        f'{args.threads} thread(s) of {os.cpu_count()} cores, {platform.machine()}, torch {torch.__version__}'
    )
    print(f'{"":12}{"ms wall":>9}{"process":>9}{"peak MB":>9}')
    for name, figures in result.items():
        print(f'{name:12}' + ''.join(f'{value:9.1f}' for value in figures.values()))
    met = speed >= SPEED_TARGET and memory <= MEMORY_TARGET
    print(
        f'{speed:.2f}x the speed, 1/{1 / memory:.0f} of the memory; '
        f'targets ({SPEED_TARGET}x, 1/{1 / MEMORY_TARGET:.0f}): {"met" if met else "MISSED"}'
    )
    if args.out:
        args.out.write_text(json.dumps(dict(result, speed=speed, memory=memory, met=met), indent=1) + '\n')
    return 0 if met else 1


if __name__ == '__main__':
    raise SystemExit(main())
