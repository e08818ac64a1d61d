"""The plan of a suite: which tasks can run on the data that are there, and about how long they take."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from binssl.core.console import quiet
from binssl.datasets import ImageDataset, build_dataset
from binssl.datasets.download import LOADERS
from binssl.engine.config import load_config
from binssl.recipes.recipe import Step, Suite
from binssl.registry import ConfigError

#: sections of a config that a kind of task reads
NEEDED = {
    'probe': ('model', 'train_dataloader', 'train_cfg', 'test_dataloader'),
    'test': ('test_dataloader',),
    'svm': ('test_dataloader',),
}
_IMAGES_TIMED = 32
_FORWARD_AND_BACKWARD = 3  # a backward pass is about two forward ones


@dataclass(frozen=True)
class Planned:
    """A task of a suite, and what was found out before it."""

    suite: str
    task: Step
    data: str = ''  # SHA-256 of all that it reads
    images: int = 0  # passes of an image through the network, a backward pass as two
    seconds: float = 0.0  # that these take, about, on this machine in one process; fits to features are not in it
    obstacle: str = ''  # why it cannot run

    @property
    def name(self) -> str:
        return f'{self.suite}.{self.task.name}'


def plan_task(
    suite: Suite, task: Step, model: nn.Module, device: torch.device, input_size: int | None = None
) -> Planned:
    """Build the data of a task, put a few images through the network, and say what it would come to.

    Args:
        suite: the task's.
        task: which.
        model: the network, in eval mode on ``device``.
        device: where it is timed.
        input_size: side in pixels that the network was made for, where that is known.

    Raises:
        ConfigError: the config itself is wrong, or has not what its kind needs.
    """
    cfg = load_config(task.config, task.options)
    if lacking := [key for key in NEEDED[task.kind] if not cfg.get(key)]:
        raise ConfigError(
            f'task {suite.name}.{task.name}: {task.config} has no {", ".join(lacking)}, and a '
            f'{task.kind!r} needs it: take another config, or another kind'
        )
    try:
        with quiet(logging.CRITICAL):
            datasets = {name: build_dataset(cfg[name].dataset) for name in LOADERS if cfg.get(name)}
            workers = {name: int(cfg[name].get('num_workers') or 0) for name in datasets}
            per_image = max(
                _seconds_per_image(model, dataset, workers[name], device, input_size)
                for name, dataset in datasets.items()
            )
    except (ConfigError, OSError, RuntimeError) as error:
        return Planned(suite.name, task, obstacle=' '.join(str(error).split()))
    prints = sorted({dataset.fingerprint() for dataset in datasets.values()})
    images = count_passes(cfg, task.kind, {name: len(dataset) for name, dataset in datasets.items()})
    return Planned(suite.name, task, hashlib.sha256('\n'.join(prints).encode()).hexdigest(), images, images * per_image)


def count_passes(cfg: Config, kind: str, sizes: Mapping[str, int]) -> int:
    """How often an image goes through the trunk, a backward pass counted as two; ``sizes``: images of each loader."""
    if kind != 'probe':
        return sum(sizes[name] for name in ('train_dataloader', 'test_dataloader') if name in sizes)
    epochs = cfg.train_cfg.max_epochs
    frozen = 'backbone' in (cfg.model.get('frozen') or ())
    trained = epochs * sizes['train_dataloader'] * (1 if frozen else _FORWARD_AND_BACKWARD)
    begin, interval = (cfg.train_cfg.get(key, 1) for key in ('val_begin', 'val_interval'))
    validations = sum(epoch % interval == 0 or epoch == epochs for epoch in range(begin, epochs + 1))
    return trained + validations * sizes.get('val_dataloader', 0) + sizes.get('test_dataloader', 0)


def _seconds_per_image(
    model: Any, dataset: ImageDataset, num_workers: int, device: torch.device, input_size: int | None
) -> float:
    """Of a small batch: the slower of loading it, shared by the workers, and of putting it through the network."""
    count = min(_IMAGES_TIMED, len(dataset))
    start = time.perf_counter()
    views = dataset.batch([len(dataset) * place // count for place in range(count)])['images']
    if isinstance(views, torch.Tensor):
        views = [views]
    # the first view of all, or one by one what has sizes of its own
    batches = views[:1] if views[0].ndim == 4 else [image[None] for image in views]
    loading = (time.perf_counter() - start) / count / max(1, num_workers)
    if len(batches) == 1 and input_size not in (None, batches[0].shape[-1]):
        raise ConfigError(
            f'the network was made for images of {input_size} px (its backbone.input_size), these have '
            f'{batches[0].shape[-1]}'
        )
    for _ in range(2):  # the first pass sets things up
        start = time.perf_counter()
        with torch.no_grad():
            for images in batches:
                model.extract(model.data_preprocessor(dict(images=images))['images'])
        if device.type == 'cuda':
            torch.cuda.synchronize(device)
        computing = (time.perf_counter() - start) / count
    return max(loading, computing) if num_workers else loading + computing
