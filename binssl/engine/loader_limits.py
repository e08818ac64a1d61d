"""Whether this machine can carry a loader's workers: shared memory for the batches in flight, file descriptors."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.multiprocessing import get_sharing_strategy

SHARED_MEMORY = '/dev/shm'
PREFETCH_FACTOR = 2  # torch's default: batches that each worker has in hand
PIPES_OF_A_WORKER = 4
FILES_OF_A_PROCESS = 128  # libraries, logs, the network between processes
_NUMBER_BYTES = 8  # a label, an index: int64 in the batch


def loader_problems(name: str, loader: Mapping[str, Any], dataset: Any, processes: int) -> list[str]:
    """What the workers of a loader need and this machine lacks, each as a sentence; reads one sample.

    In flight are ``num_workers x prefetch_factor`` batches a process, in shared memory, with a file descriptor for each
    tensor, and one more batch that is being used.

    Args:
        name: what the config calls the loader.
        loader: its config.
        dataset: what it loads, built.
        processes: of the run, on this machine.
    """
    workers = loader.get('num_workers') or 0
    if not workers or not len(dataset):
        return []
    prefetched = loader.get('prefetch_factor') or PREFETCH_FACTOR
    sizes = list(_leaf_bytes(dataset[0]))
    batch_bytes = loader.get('batch_size', 1) * sum(sizes)
    load = f'{workers} workers x {prefetched} batches'
    problems = [
        _memory_problem(name, load, batch_bytes, (workers * prefetched + 1) * batch_bytes, processes),
        _files_problem(name, load, (workers * prefetched + 1) * len(sizes) + workers * PIPES_OF_A_WORKER),
    ]
    return [problem for problem in problems if problem]


def _memory_problem(name: str, load: str, batch_bytes: int, process_bytes: int, processes: int) -> str | None:
    if not os.path.isdir(SHARED_MEMORY):
        return None
    there, needed = shutil.disk_usage(SHARED_MEMORY), processes * process_bytes
    if needed <= there.free:
        return None
    gigabytes = -(-(there.total - there.free + needed) // 2**30)
    return (
        f'{name}: {processes} process(es) x {load} of {_megabytes(batch_bytes)} need {_megabytes(needed)} of shared '
        f'memory, and {SHARED_MEMORY} has {_megabytes(there.free)} free: a worker would die of a bus error. Lower '
        f'{name}.num_workers, prefetch_factor or batch_size, or make it larger (docker run --shm-size='
        f'{gigabytes}g or --ipc=host; as root: mount -o remount,size={gigabytes}g {SHARED_MEMORY})'
    )


def _files_problem(name: str, load: str, worker_files: int) -> str | None:
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = worker_files + FILES_OF_A_PROCESS
    # the other way of sharing memory goes by names
    if get_sharing_strategy() != 'file_descriptor' or allowed == resource.RLIM_INFINITY or needed <= allowed:
        return None
    by_hand = most != resource.RLIM_INFINITY and needed > most
    remedy = (
        f'ask the administrator for more than {most} (nofile in /etc/security/limits.conf, docker run --ulimit '
        f'nofile={needed}), or lower'
        if by_hand
        else f'run `ulimit -n {needed}` first, or lower'
    )
    return (
        f'{name}: {load} need {needed} open files in each process, and {allowed} are allowed (ulimit -n): {remedy} '
        f'{name}.num_workers or prefetch_factor'
    )


def _leaf_bytes(sample: Any) -> Iterator[int]:
    """Bytes of each part of a sample that becomes a tensor of the batch."""
    if isinstance(sample, Tensor):
        yield sample.nbytes
    elif isinstance(sample, Mapping):
        for part in sample.values():
            yield from _leaf_bytes(part)
    elif isinstance(sample, Sequence) and not isinstance(sample, str):
        for part in sample:
            yield from _leaf_bytes(part)
    else:
        yield _NUMBER_BYTES


def _megabytes(count: int) -> str:
    return f'{count / 1e6:,.0f} MB'
