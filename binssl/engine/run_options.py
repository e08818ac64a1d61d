"""What a config's options come to on this machine, in so many processes."""

from __future__ import annotations

import inspect

import torch
from mmengine.config import Config
from torch import nn

from binssl.registry import ConfigError, nearest_names


def batch_per_process(cfg: Config, world_size: int) -> int:
    """Images in a training batch of one process: as the config says, or its share of ``global_batch_size`` if smaller.

    A batch that fits one process alone is shared out by several, so that their step is the same.

    Raises:
        ConfigError: ``global_batch_size`` is no number of images.
    """
    given, wanted = cfg.train_dataloader.batch_size, cfg.get('global_batch_size')
    if wanted is not None and (not isinstance(wanted, int) or wanted < 1):
        raise ConfigError(f'global_batch_size is {wanted!r}; it must be a whole number of at least 1, or None')
    if wanted and given <= wanted < given * world_size and wanted % world_size == 0:
        return wanted // world_size
    return given


def accumulation(cfg: Config, world_size: int) -> int:
    """Batches per optimiser step: as the config says, or so that a step has ``global_batch_size`` images.

    Raises:
        ConfigError: the batches of all processes do not divide ``global_batch_size``.
    """
    per_pass = batch_per_process(cfg, world_size) * world_size
    wanted = cfg.get('global_batch_size')
    if not wanted:
        return cfg.optim_wrapper.get('accumulative_counts', 1)
    if wanted % per_pass:
        raise ConfigError(
            f'global_batch_size {wanted} must be a multiple of train_dataloader.batch_size '
            f'{cfg.train_dataloader.batch_size} x {world_size} process(es); change either in the config'
        )
    return wanted // per_pass


def wrapper_options(given: dict) -> dict:
    """The arguments of DistributedDataParallel in ``model_wrapper_cfg``, checked."""
    known = set(inspect.signature(nn.parallel.DistributedDataParallel).parameters) - {'module', 'device_ids'}
    for key in given:
        if key not in known:
            raise ConfigError(f'model_wrapper_cfg does not take {key!r}; {nearest_names(key, known)}')
    return dict(given)


def forget_pinning(cfg: Config) -> None:
    """Pinned memory is for the way to a GPU; without one, torch warns of it."""
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if cfg.get(name):
            cfg[name].pop('pin_memory', None)


def settle_launcher(cfg: Config) -> None:
    """mmengine asks ``launcher`` only whether the run is distributed: our process group stands by then."""
    cfg.launcher = 'pytorch' if torch.distributed.is_initialized() else 'none'
