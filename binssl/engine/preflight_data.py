"""Checks of a run's data: classes and labels that fit the head, workers that this machine can carry."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Mapping
from typing import Any

import numpy as np
from mmengine.config import Config
from torch import Tensor
from torch.multiprocessing import get_sharing_strategy

from binssl.core.console import quiet
from binssl.datasets import ImageDataset, build_dataset, check_same_classes
from binssl.engine.prefetch import leaves
from binssl.registry import ConfigError

SHARED_MEMORY = '/dev/shm'
PREFETCH_FACTOR = 2  # torch's default: batches that each worker has in hand
PIPES_OF_A_WORKER = 4
FILES_OF_A_PROCESS = 128  # libraries, logs, the network between processes
_NUMBER_BYTES = 8  # a label, an index: int64 in the batch


def settle_classes(cfg: Config) -> None:
    """Write the training data's number of classes where ``model.head.num_classes`` is None, and build nothing else."""
    head = (cfg.get('model') or {}).get('head')
    if not isinstance(head, Mapping) or 'num_classes' not in head or head['num_classes'] is not None:
        return
    with quiet():
        dataset = build_dataset(cfg.train_dataloader.dataset)
    classes = dataset.num_classes
    if not classes or classes < 2:
        said = f'have {classes} class' if classes else 'do not say how many classes they have'
        raise ConfigError(
            f'model.head.num_classes is left to the training data, and these {said}: a classifier needs two at least; '
            'take class folders, or lists with lines PATH LABEL'
        )
    cfg.model.head.num_classes = int(classes)


def check_views(model: Any, dataset: ImageDataset) -> None:
    """Raise a ConfigError unless the training set gives as many views of an image as the model learns from."""
    given = dataset.num_views
    if given != model.views:
        rule = f'{type(model).__name__} trains on {model.views} view(s) of an image'
        raise ConfigError(f'{rule}, and the training data give {given}: change train_dataloader.dataset.views')
    on_device = getattr(model.data_preprocessor, 'batch_part', None)
    if on_device is not None and len(on_device.views) != given:
        raise ConfigError(
            f'model.data_preprocessor.views has {len(on_device.views)} entries, the training data give {given} '
            'view(s) of an image: give one entry a view, None where there is nothing to do'
        )


def check_labels(dataset: ImageDataset, classes: int | None, validation: ImageDataset | None = None) -> None:
    """Compare the labels of a training set with a head's ``classes``, where known, and with those of the validation."""
    known = dataset.labels if dataset.labels is not None and dataset.labels.ndim == 1 else np.zeros(0, dtype=np.int64)
    unknown = int((known < 0).sum())
    if unknown:
        raise ConfigError(
            f'{unknown} of the {len(dataset)} training images have no label, and this algorithm learns from labels: '
            'take lists with lines PATH LABEL, class folders, or labeled=True'
        )
    if len(known) > 1 and known.min() == known.max():
        raise ConfigError(f'all {len(known)} training images are of class {known[0]}: take two classes at least')
    labels = dataset.num_classes
    for index in np.flatnonzero(known >= labels)[:1] if labels else ():
        told = f'{dataset.name(int(index))} of train_dataloader has label {known[index]}, and its set {labels} classes'
        raise ConfigError(f'{told}: change train_dataloader.dataset.num_classes, or the label')
    if labels and classes and labels > classes:
        raise ConfigError(
            f'the training data have {labels} classes, the head {classes}: change model.head.num_classes or '
            'train_dataloader.dataset.num_classes'
        )
    if validation is not None:
        check_same_classes(dataset, validation, 'train_dataloader.dataset', 'val_dataloader.dataset')


def loader_problems(name: str, loader: Mapping[str, Any], dataset: Any, processes: int) -> list[str]:
    """What the workers of a loader need and this machine lacks, each as a sentence; reads one sample.

    In flight are ``num_workers x prefetch_factor`` batches a process, in shared memory, with a file descriptor for each
    tensor, and one more batch that is being used.

    Args:
        loader: its config, which the config calls ``name``.
        processes: of the run, on this machine.
    """
    workers = loader.get('num_workers') or 0
    if not workers or not len(dataset):
        return []
    prefetched = loader.get('prefetch_factor') or PREFETCH_FACTOR
    sizes = [leaf.nbytes if isinstance(leaf, Tensor) else _NUMBER_BYTES for leaf in leaves(dataset[0])]
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
    remedy = f'run `ulimit -n {needed}` first'
    if most != resource.RLIM_INFINITY and needed > most:
        places = f'nofile in /etc/security/limits.conf, docker run --ulimit nofile={needed}'
        remedy = f'ask the administrator for more than {most} ({places})'
    return (
        f'{name}: {load} need {needed} open files in each process, and {allowed} are allowed (ulimit -n): {remedy}, or '
        f'lower {name}.num_workers or prefetch_factor'
    )


def _megabytes(count: int) -> str:
    return f'{count / 1e6:,.0f} MB'
