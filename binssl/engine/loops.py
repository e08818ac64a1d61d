"""The training loop, and how the images of an epoch are shared out over steps and processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from mmengine.config import Config
from mmengine.dist import get_world_size
from mmengine.runner import EpochBasedTrainLoop
from torch import nn

from binssl.core.processes import unwrap
from binssl.engine.batch_norm import average_batch_norm
from binssl.engine.prefetch import prefetch
from binssl.engine.preflight_data import check_labels, check_views
from binssl.registry import LOOPS, ConfigError


@LOOPS.register_module()
class EpochLoop(EpochBasedTrainLoop):
    """mmengine's epoch loop, which a resumed run can enter in the middle of an epoch.

    An epoch has as many iterations as fill whole optimiser steps: with ``accumulative_counts`` 2, eleven batches are
    ten iterations, so that no step spans two epochs and a checkpoint at an epoch's end holds no half-summed gradient.

    Args:
        max_epochs: epochs to train.
        val_begin, val_interval: first epoch to validate after, and how often from there.
    """

    def __init__(
        self, runner: Any, dataloader: Any, max_epochs: int, val_begin: int = 1, val_interval: int = 1
    ) -> None:
        super().__init__(runner, dataloader, max_epochs, val_begin, val_interval)
        self._check_run()
        self.epoch_length = whole_steps(runner.cfg, len(self.dataloader.dataset), get_world_size())
        self._max_iters = self._max_epochs * self.epoch_length

    def _check_run(self) -> None:
        """Ask whether model, data and hooks fit together, as ``--check`` does before any process starts."""
        model, data = unwrap(self.runner.model), self.dataloader.dataset
        check_views(model, data)
        if model.needs_labels:
            classes = getattr(model.head, 'out_channels', None)
            validation = self.runner.val_loop
            check_labels(data, classes, None if validation is None else validation.dataloader.dataset)
            labels = data.num_classes
            if labels and classes and labels < classes:
                self.runner.logger.warning(
                    f'the head has {classes} classes (model.head.num_classes), of which the training data show {labels}'
                )
        hooks = hook_names(map(type, self.runner.hooks))
        model.check_run(self.dataloader.batch_size, get_world_size(), hooks)

    def run(self) -> nn.Module:
        if self._epoch and self._iter == self._epoch * self.epoch_length and self._validates(self._epoch):
            self.runner.val_loop.run()  # resumed: the run may have ended before it had validated
        return super().run()

    def _validates(self, epoch: int) -> bool:
        due = epoch % self.val_interval == 0 or epoch == self._max_epochs
        return self.runner.val_loop is not None and epoch >= self.val_begin and due

    def run_epoch(self) -> None:
        start = self._iter - self._epoch * self.epoch_length
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for index, batch in enumerate(self._batches(start), start):
            self.run_iter(index, batch)
        if self._validates(self._epoch + 1):
            average_batch_norm(unwrap(self.runner.model))
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _batches(self, start: int) -> Iterator[Any]:
        """The batches ``start`` to ``epoch_length`` of this epoch, each on its way to the device ahead of time.

        The sampler skips what is done.
        """
        sampler = self.dataloader.sampler
        sampler.set_epoch(self._epoch)
        sampler.start_at(start * self.dataloader.batch_size)
        batches = islice(self.dataloader, self.epoch_length - start)
        return prefetch(batches, unwrap(self.runner.model).data_preprocessor.device)


def hook_names(kinds: Iterable[type]) -> set[str]:
    """What a run's hooks are called, those that they are made from among them."""
    return {base.__name__ for kind in kinds for base in kind.__mro__}


def batch_per_process(cfg: Config, world_size: int) -> int:
    """Images in a training batch of one process: as the config says, or its share of ``global_batch_size`` if smaller.

    A batch that fits one process alone is shared out by several, so that their step is the same.
    """
    given, wanted = cfg.train_dataloader.batch_size, cfg.get('global_batch_size')
    if wanted is not None and (not isinstance(wanted, int) or wanted < 1):
        raise ConfigError(f'global_batch_size is {wanted!r}; it must be a whole number of at least 1, or None')
    if wanted and given <= wanted < given * world_size and wanted % world_size == 0:
        return wanted // world_size
    return given


def accumulation(cfg: Config, world_size: int) -> int:
    """Batches per optimiser step: as the config says, or so that a step has ``global_batch_size`` images."""
    per_pass = batch_per_process(cfg, world_size) * world_size
    wanted = cfg.get('global_batch_size')
    if not wanted:
        return cfg.optim_wrapper.get('accumulative_counts', 1)
    if wanted % per_pass:
        batch = f'train_dataloader.batch_size {cfg.train_dataloader.batch_size} x {world_size} process(es)'
        raise ConfigError(f'global_batch_size {wanted} must be a multiple of {batch}; change either in the config')
    return wanted // per_pass


def whole_steps(cfg: Config, images: int, world_size: int) -> int:
    """Iterations of an epoch: batches of a process, as many as fill whole optimiser steps.

    Each of the ``world_size`` processes takes ceil(images / world_size) images (EpochSampler).
    """
    batch, counts = batch_per_process(cfg, world_size), accumulation(cfg, world_size)
    if not isinstance(counts, int) or counts < 1:
        raise ConfigError(f'optim_wrapper.accumulative_counts is {counts!r}; it must be a whole number of at least 1')
    own = -(-images // world_size)
    batches = own // batch if cfg.train_dataloader.get('drop_last') else -(-own // batch)
    if batches >= counts:
        return batches // counts * counts
    remedy = f'train_dataloader.batch_size to at most {own}' if not batches else ''
    if cfg.get('global_batch_size'):
        step = f'global_batch_size {cfg.global_batch_size}'
        remedy += f'{" and " if remedy else ""}global_batch_size to {max(1, batches) * min(batch, own) * world_size}'
    else:
        step = f'optim_wrapper.accumulative_counts {counts}'
        remedy = remedy or f'optim_wrapper.accumulative_counts to {batches}, or train_dataloader.batch_size'
    raise ConfigError(
        f'{images} training images make {batches} batch(es) an epoch, with train_dataloader.batch_size {batch} x '
        f'{world_size} process(es), and an optimiser step takes {counts} ({step}): lower {remedy}'
    )
