"""Steps of a model beside the optimiser's: seeded random numbers, momentum teachers, SwAV's prototypes."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook

from binssl.core.processes import unwrap
from binssl.core.randomness import counter_seed
from binssl.registry import HOOKS, ConfigError


@HOOKS.register_module()
class CounterSeedHook(Hook):
    """Seeds torch's generators from (seed, rank, iteration) before each iteration.

    Dropout, a random queue, whatever the model draws, is then the same after a resume as without a pause, and
    validation in between takes nothing away. (Data have counters of their own.)
    """

    priority = 'VERY_HIGH'

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        seed = counter_seed(runner.seed, get_rank(), runner.iter)
        torch.default_generator.manual_seed(seed)  # torch.manual_seed costs a hundred times as much
        if torch.cuda.is_initialized():
            torch.cuda.default_generators[torch.cuda.current_device()].manual_seed(seed)


@HOOKS.register_module()
class MomentumUpdateHook(Hook):
    """Calls ``update()`` of the model's momentum teachers after each optimiser step, whatever the accumulation.

    Under loss scaling it passes ``step_taken``, 0 where the step was skipped. A part of the model with that method and
    ``restart()`` is one. The runner adds the hook to every run whose model has any. MoCo (arXiv:1911.05722) updates at
    the start of the next step; with nothing in between that is the same.
    """

    priority = 'NORMAL'
    _teachers: list[Any]

    def before_train(self, runner: Any) -> None:
        model = unwrap(runner.model)
        self._teachers = [part for part in model.children() if hasattr(part, 'update') and hasattr(part, 'restart')]
        if not self._teachers:
            raise ConfigError(
                f'MomentumUpdateHook needs a model with a momentum teacher; {type(model).__name__} has none'
            )

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if runner.optim_wrapper.should_update():
            taken = runner.optim_wrapper.step_taken
            for teacher in self._teachers:
                teacher.update() if taken is None else teacher.update(taken)


@HOOKS.register_module()
class PrototypeHook(Hook):
    """Freezes the prototypes during the first steps, and says from when on the queue is used (arXiv:2006.09882).

    Both are closed forms of the iteration: a resumed run has nothing to restore.

    Args:
        frozen_iterations: optimiser steps without a step of the prototypes, however many batches one accumulates
            (the published code accumulates none). Neither momentum nor weight decay moves them.
        queue_start_epoch: the first epoch, from 0, that uses the queue, provided that it was filled once.

    Raises:
        ConfigError: a negative number; before training, a model without prototypes.
    """

    priority = 'NORMAL'

    def __init__(self, frozen_iterations: int = 313, queue_start_epoch: int = 15) -> None:
        for name, value in (('frozen_iterations', frozen_iterations), ('queue_start_epoch', queue_start_epoch)):
            if value < 0:
                raise ConfigError(f'PrototypeHook: {name} is {value!r}; it must be a whole number of at least 0')
        self.frozen_iterations, self.queue_start_epoch = frozen_iterations, queue_start_epoch

    def before_train(self, runner: Any) -> None:
        model = unwrap(runner.model)
        if not hasattr(getattr(model, 'head', None), 'prototypes') or not hasattr(model, 'use_queue'):
            raise ConfigError(
                f'PrototypeHook needs a SwAV model, whose head has prototypes; this is a {type(model).__name__}: '
                'take the hook out of custom_hooks'
            )
        runner.optim_wrapper.before_step.append(lambda: self._freeze(runner))

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        model = unwrap(runner.model)
        images = runner.iter * runner.train_dataloader.batch_size * get_world_size()
        epoch = runner.iter // runner.train_loop.epoch_length
        model.use_queue = 0 < model.queue_length <= images and epoch >= self.queue_start_epoch

    def _freeze(self, runner: Any) -> None:
        if runner.iter // runner.accumulative_counts < self.frozen_iterations:
            for weight in unwrap(runner.model).head.prototypes.parameters():
                weight.grad = None
