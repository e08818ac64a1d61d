"""Scheduled values of a run: learning rate, loss balance, teacher momentum, ReCU's tau, ..."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import torch
from mmengine.hooks import Hook
from torch import nn

from binssl.core.processes import unwrap
from binssl.hooks.schedule import Schedule
from binssl.registry import HOOKS, ConfigError, check_call


@HOOKS.register_module()
class AnnealHook(Hook):
    """Sets every scheduled value before each iteration, from the config's ``schedules``.

    Args:
        schedules: ``{name: dict(target=..., start=..., end=..., curve=...)}``, see :class:`Schedule`; the
            name is for people, and lets a child config change one schedule. A star in the target stands for any
            path: ``'backbone.*.tau'`` is the ``tau`` of every module of the backbone that has one.
    """

    priority = 'HIGH'

    def __init__(self, schedules: dict[str, dict | None]) -> None:
        for name, schedule in schedules.items():
            check_call(f'schedules.{name}', Schedule, {} if schedule is None else schedule)
        self.schedules = [Schedule(**schedule) for schedule in schedules.values() if schedule is not None]
        #: what the scheduled attributes of the model are now, for the log
        self.values: dict[str, float] = {}
        self._owners: dict[str, list[nn.Module]] = {}

    def check(self, model: nn.Module, max_epochs: int) -> None:
        """Find what the schedules move.

        Raises:
            ConfigError: the model lacks it, it may not become what a schedule says, or a curve would begin when the
                training of ``max_epochs`` has ended.
        """
        for schedule in self.schedules:
            for name in ('epochs_ahead', 'begin_epoch'):
                if getattr(schedule, name) >= max_epochs:
                    raise ConfigError(
                        f'schedule of {schedule.target!r}: {name} is {getattr(schedule, name)}, and the training has '
                        f'{max_epochs} epoch(s): lower it, or raise train_cfg.max_epochs'
                    )
            if schedule.target != 'lr':
                self._owners[schedule.target] = _owners(model, schedule.target)
                for owner in self._owners[schedule.target]:
                    _check_owner(owner, schedule)

    def before_train(self, runner: Any) -> None:
        self.check(unwrap(runner.model), runner.max_epochs)
        for schedule in self.schedules:
            if schedule.warmup_epochs > runner.max_epochs:
                runner.logger.warning(
                    f'the warm-up of {schedule.target!r} takes {schedule.warmup_epochs:g} epochs and the training '
                    f'{runner.max_epochs}: it never ends. Lower warmup_epochs, or raise train_cfg.max_epochs'
                )
            if schedule.curve == 'step' and schedule.milestones[-1] >= runner.max_epochs:
                runner.logger.warning(
                    f'the schedule of {schedule.target!r} has milestones {list(schedule.milestones)}, and the training '
                    f'{runner.max_epochs} epochs: not all of them are reached'
                )

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        shape = (runner.iter, runner.train_loop.epoch_length, runner.max_epochs)
        for schedule in self.schedules:
            if schedule.target == 'lr':
                for group in runner.optim_wrapper.param_groups:
                    if not group.get('fixed_lr'):  # optim_wrapper.paramwise_cfg.fixed_lr
                        group['lr'] = schedule.value(group['initial_lr'], *shape)
            else:
                self._set(schedule.target, schedule.value(0.0, *shape))

    def _set(self, target: str, value: float) -> None:
        name = target.rpartition('.')[2]
        self.values[name] = value
        for owner in self._owners[target]:
            current = getattr(owner, name)
            if isinstance(current, torch.Tensor):
                current.fill_(value)  # in place: a compiled model reads the same tensor
            else:
                setattr(owner, name, value)


def moves_rate(schedule: Mapping[str, Any] | None) -> bool:
    """Whether one entry of ``schedules`` moves the learning rate."""
    return schedule is not None and schedule.get('target', Schedule.target) == 'lr'


def scheduled_groups(runner: Any) -> list[dict[str, Any]]:
    """The optimiser's groups whose rate a schedule moves; all of them where each is fixed."""
    groups = runner.optim_wrapper.param_groups
    return [group for group in groups if not group.get('fixed_lr')] or groups


def _check_owner(owner: Any, schedule: Schedule) -> None:
    """Ask whether what a schedule moves is a number, and may become its ends.

    Raises:
        ConfigError: it is none, or may not.
    """
    name = schedule.target.rpartition('.')[2]
    value = getattr(owner, name)
    if isinstance(value, bool) or not isinstance(value, (float, int, torch.Tensor)):
        raise ConfigError(f'schedules: {schedule.target!r} of the model is no number')
    for key in ('start', 'end'):
        end = getattr(schedule, key)
        if end is not None and hasattr(owner, 'check_scheduled'):
            try:
                owner.check_scheduled(name, end)
            except ConfigError as error:
                raise ConfigError(f'{key} of the schedule of {schedule.target!r}: {error}') from None


def _owners(model: nn.Module, target: str) -> list[Any]:
    """The objects whose attribute ``target`` names: one, or with a star all whose dotted name fits.

    Raises:
        ConfigError: there is none.
    """
    path, _, name = target.rpartition('.')
    if '*' in path:
        owners = [part for at, part in model.named_modules() if fnmatchcase(at, path) and hasattr(part, name)]
        if not owners:
            raise ConfigError(f'schedules: nothing in the model is called {target!r}')
        return owners
    owner: Any = model
    for part in target.split('.'):
        if not hasattr(owner, part):
            raise ConfigError(f'schedules: the model has no {target!r} ({type(owner).__name__} has no {part!r})')
        owner, last = getattr(owner, part), owner
    return [last]
