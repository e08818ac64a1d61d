"""Time and memory of k-NN: computed for ImageNet, 1,281,167 x 1024 against 50,000, and measured on a smaller bank.

Ours meets the bank and the queries in chunks and keeps a running list of the nearest; similarities are float64 without
rounding (binssl/evaluation/neighbour_search.py), so that chunks, processes and devices change no neighbour. Beside it
the plain way, the whole similarity matrix and one topk, in float64, the same arithmetic, and in float32, as it is
usually done. All run in turns on the same features. Memory is what a way allocates itself, the features not among it.

    OMP_NUM_THREADS=1 python benchmarks/speed/knn.py
    python benchmarks/speed/knn.py --device cuda --banks 131072 1281167 --queries 50000 --width 1024 --no-plain

The time for ImageNet is computed from the speed on the largest bank, for as many such devices as there are processes.

Times are of the process with one thread on a CPU, which others on the machine do not change, else on the wall.

Target: at every size the neighbours of the plain way in float64, in order, and memory within what is computed. Exits
with 1 where it is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from peak_memory import peak_bytes
from torch import Tensor

from binssl.evaluation.neighbour_search import BYTES_AT_ONCE, Neighbours, find_nearest, grid_rows, rows_at_once

IMAGENET = dict(bank=1_281_167, queries=50_000, width=1024, count=200)
CHUNKS = 6  # of BYTES_AT_ONCE, what find_nearest may need beside its arguments and its answer
LEDGER_BYTES = 160  # of each sample, on each process, while it is made
OURS, PLAIN, USUAL = 'ours, chunked float64', 'plain matrix, float64', 'plain matrix, float32'


def plain_nearest(bank: Tensor, queries: Tensor, count: int, dtype: torch.dtype) -> Neighbours:
    """The whole matrix of similarities, and one topk."""
    return Neighbours(*(queries.to(dtype) @ bank.to(dtype).T).topk(count))


def search_bytes(queries: int, count: int) -> int:
    """The most that a search needs at one time beside features: it does not grow with the bank."""
    return CHUNKS * BYTES_AT_ONCE + 16 * queries * count


def plain_bytes(bank: int, queries: int, width: int, bytes_each: int) -> int:
    """What the whole matrix needs; float64 copies of float32 features among it."""
    return bytes_each * bank * queries + (8 * (bank + queries) * width if bytes_each == 8 else 0)


def computed(processes: int, bank: int, queries: int, width: int, count: int) -> dict[str, float]:
    """What one of ``processes`` does, holds and sends: numbers of operations and bytes."""
    rows = max(1, min(rows_at_once(width), 4 * BYTES_AT_ONCE // (16 * count * processes)))
    lists = 16 * rows * count * 3 * processes if processes > 1 else 0  # those of all, and twice more to sort them
    return dict(
        flops=2 * bank * queries * width / processes,
        feature_bytes=4 * (bank + queries) * width / processes,
        search_bytes=search_bytes(rows, count) + 4 * rows * width + lists,
        ledger_bytes=LEDGER_BYTES * (bank + queries),
        # its queries to every other, its list of neighbours of each query to who asked, 32 bytes of facts of a sample
        sent_bytes=(processes - 1) * (4 * queries * width + 16 * queries * count + 32 * (bank + queries)) / processes,
    )


def peak_on(device: str, run: Callable[[], object]) -> int:
    """The most that ``run`` holds at any moment of what it allocates itself."""
    if device == 'cpu':
        return peak_bytes(run)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    return torch.cuda.max_memory_allocated() - before


def measure(ways: Mapping[str, Callable[[], Neighbours]], repeats: int, device: str) -> dict[str, dict[str, float]]:
    """Median seconds of each way, in turns, and the peak of its memory."""
    clock = time.process_time if device == 'cpu' and torch.get_num_threads() == 1 else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, way in ways.items():
            start = clock()
            way()
            if device != 'cpu':
                torch.cuda.synchronize()
            if repeat:  # the first round warms up
                times[name].append(clock() - start)
    return {
        name: dict(seconds=statistics.median(times[name]), peak_bytes=peak_on(device, way))
        for name, way in ways.items()
    }


def compare(bank: int, args: argparse.Namespace) -> dict[str, object]:
    """All ways on one bank of random features; whether ours finds what the plain way does."""
    generator = torch.Generator().manual_seed(0)
    features = [grid_rows(torch.randn(rows, args.width, generator=generator)) for rows in (bank, args.queries)]
    known, asked = (part.to(args.device) for part in features)
    places = torch.arange(bank, device=args.device)
    ways: dict[str, Callable[[], Neighbours]] = {
        OURS: lambda: find_nearest(known, places, asked, args.count, args.device)
    }
    if not args.no_plain:
        ways[PLAIN] = lambda: plain_nearest(known, asked, args.count, torch.float64)
        ways[USUAL] = lambda: plain_nearest(known, asked, args.count, torch.float32)
    result: dict[str, object] = dict(measure(ways, args.repeats, args.device))
    if not args.no_plain:
        ours, plain, usual = (way().places for way in ways.values())
        result['same'] = torch.equal(ours, plain)
        result['queries_apart_in_float32'] = int((ours != usual).any(1).sum())
    return result


def print_computed(seconds_a_flop: float) -> list[dict[str, float]]:
    """The table for ImageNet, with hours at the speed that was measured."""
    rows = [dict(processes=processes, **computed(processes, **IMAGENET)) for processes in (1, 2, 8, 64)]
    print('computed for {bank:,} x {width} against {queries:,}, k {count}; each process:'.format(**IMAGENET))
    heads = ('TFLOP', 'features GB', 'search GB', 'ledger GB', 'sent GB', 'minutes')
    print(f'{"processes":>9}' + ''.join(f'{head:>13}' for head in heads))
    for row in rows:
        row['seconds'] = seconds_a_flop * row['flops']
        gigabytes = [row[f'{name}_bytes'] / 1e9 for name in ('feature', 'search', 'ledger', 'sent')]
        print(
            f'{row["processes"]:9.0f}{row["flops"] / 1e12:13.1f}'
            + ''.join(f'{size:13.2f}' for size in gigabytes)
            + f'{row["seconds"] / 60:13.1f}'
        )
    sizes = [plain_bytes(*(IMAGENET[name] for name in ('bank', 'queries', 'width')), each) / 1e9 for each in (8, 4)]
    print(f'the whole matrix, on one: {sizes[0]:.0f} GB in float64, {sizes[1]:.0f} GB in float32, and the features')
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, compute, print, and say whether the target is met."""
    parser = argparse.ArgumentParser(description='Time and memory of exact k-NN, ours and the whole matrix.')
    parser.add_argument('--banks', type=int, nargs='+', default=[32768, 65536], help='samples to search, each measured')
    parser.add_argument('--queries', type=int, default=4096)
    parser.add_argument('--width', type=int, default=256, help='features of a sample')
    parser.add_argument('--count', type=int, default=200, help='neighbours of a query')
    parser.add_argument('--repeats', type=int, default=3, help='searches timed (medians)')
    parser.add_argument('--threads', type=int, default=1, help='threads of torch')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--no-plain', action='store_true', help='ours alone, where a matrix does not fit')
    parser.add_argument('--out', type=Path, help='also write the numbers to this JSON file')
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    print(
        f'{args.queries:,} queries, width {args.width}, k {args.count}, {args.device}, medians of {args.repeats}; '
        f'{args.threads} thread(s) of {os.cpu_count()} cores, {platform.machine()}, torch {torch.__version__}'
    )
    measured = {bank: compare(bank, args) for bank in args.banks}
    bound, met = search_bytes(args.queries, args.count), True
    for bank, ways in measured.items():
        met &= ways.get('same', True) is True and ways[OURS]['peak_bytes'] <= bound
        print(f'bank of {bank:,}: {"" if args.no_plain else describe(ways)}')
        for name in [name for name in (OURS, PLAIN, USUAL) if name in ways]:
            seconds, peak = ways[name]['seconds'], ways[name]['peak_bytes']
            print(
                f'  {name:24}{seconds:9.3f} s{2e-9 * bank * args.queries * args.width / seconds:9.1f} GFLOP/s'
                f'{ways[PLAIN if PLAIN in ways else OURS]["seconds"] / seconds:8.2f}x{peak / 1e6:10.0f} MB'
            )
    print(f'ours may take {bound / 1e6:.0f} MB here, whatever the bank')
    largest = max(args.banks)
    rate = measured[largest][OURS]['seconds'] / (2 * largest * args.queries * args.width)
    rows = print_computed(rate)
    print(f'target (the same neighbours, memory as computed): {"met" if met else "MISSED"}')
    if args.out:
        args.out.write_text(json.dumps(dict(measured=measured, bound_bytes=bound, imagenet=rows, met=met), indent=1))
    return 0 if met else 1


def describe(ways: Mapping[str, object]) -> str:
    """How the neighbours agree, in words."""
    same = 'the same neighbours as the plain way' if ways['same'] else 'OTHER neighbours than the plain way'
    return f'{same}; in float32 {ways["queries_apart_in_float32"]} queries have others'


if __name__ == '__main__':
    raise SystemExit(main())
