"""Every scheduled value of a run: learning rate, loss balance, teacher momentum, ReCU's tau, ..."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.hooks import Hook

from binssl.hooks.bare import bare
from binssl.registry import HOOKS, ConfigError

CURVES = ('cosine', 'linear', 'exponential', 'step', 'constant')


@dataclass(frozen=True)
class Schedule:
    """A value as a closed form of the iteration, so that a resumed run has nothing to restore.

    With progress p = t / T, t the iteration or the epoch that trains and T their number:

    - cosine: ``end - (end - start) (cos(pi p) + 1) / 2`` (BURN's balance, BYOL's momentum, cosine learning
      rate)
    - linear: ``start + (end - start) p`` (S2-BNN's learning rate)
    - exponential: ``A exp(p) + B`` with A = (end - start) / (e - 1), B = start - A (ReCU's tau,
      arXiv:2103.12369)
    - step: ``start * gamma ** (number of milestones passed)``, milestones in epochs
    - constant: ``start``

    During the first ``warmup_epochs`` the value is multiplied by ``1 - (1 - n / W) (1 - warmup_ratio)``, n
    the iteration and W the iterations of the warm-up.

    Args:
        target: ``'lr'``, or the dotted name of an attribute of the model (``'head.kl_weight'``).
        start: value at the beginning; for ``lr`` left out: each group's own learning rate.
        end: value at T.
        by: ``'iter'`` or ``'epoch'``: how often it moves.

    Raises:
        ConfigError: a curve, unit or milestone that does not exist or a missing end.
    """

    target: str = 'lr'
    start: float | None = None
    end: float | None = None
    curve: str = 'cosine'
    by: str = 'iter'
    warmup_epochs: float = 0
    warmup_ratio: float = 0.0
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1

    def __post_init__(self) -> None:
        name = f'schedule of {self.target!r}'
        if self.curve not in CURVES:
            raise ConfigError(f'{name}: no curve is called {self.curve!r}; there are {", ".join(CURVES)}')
        if self.by not in ('iter', 'epoch'):
            raise ConfigError(f"{name}: `by` is {self.by!r}; it must be 'iter' or 'epoch'")
        if self.curve in ('cosine', 'linear', 'exponential') and self.end is None:
            raise ConfigError(f'{name}: a {self.curve} curve needs `end`')
        if self.curve == 'step' and not self.milestones:
            raise ConfigError(f'{name}: a step curve needs `milestones`, in epochs')
        if self.start is None and self.target != 'lr':
            raise ConfigError(f'{name}: `start` is missing')
        if self.start is not None and self.target == 'lr':
            raise ConfigError(
                f'{name}: leave `start` out: each group starts from its own rate, optim_wrapper.optimizer.lr '
                'times its lr_mult'
            )
        for field in ('start', 'end', 'gamma', 'warmup_epochs', 'warmup_ratio'):
            value = getattr(self, field)
            if value is not None and not isinstance(value, (int, float)):
                raise ConfigError(f'{name}: {field} is {value!r}; it must be a number')
        if self.warmup_epochs < 0 or not 0 <= self.warmup_ratio <= 1:
            raise ConfigError(
                f'{name}: warmup_epochs must not be negative and warmup_ratio must lie in [0, 1]'
            )

    def value(self, base: float, iteration: int, epoch_length: int, max_epochs: int) -> float:
        """The value that ``iteration`` trains with; ``base`` stands for a ``start`` that is not given."""
        start, end = base if self.start is None else self.start, self.end or 0.0
        epoch = iteration // epoch_length
        progress = epoch / max_epochs if self.by == 'epoch' else iteration / (epoch_length * max_epochs)
        if self.curve == 'cosine':
            value = end - (end - start) * (math.cos(math.pi * progress) + 1) / 2
        elif self.curve == 'linear':
            value = start + (end - start) * progress
        elif self.curve == 'exponential':
            scale = (end - start) / (math.e - 1)
            value = scale * math.exp(progress) + start - scale
        elif self.curve == 'step':
            value = start * self.gamma ** sum(epoch >= milestone for milestone in self.milestones)
        else:
            value = start
        warmup = self.warmup_epochs * epoch_length
        if iteration < warmup:
            value *= 1 - (1 - iteration / warmup) * (1 - self.warmup_ratio)
        return value


@HOOKS.register_module()
class AnnealHook(Hook):
    """Sets every scheduled value before each iteration, from the config's ``schedules``.

    Args:
        schedules: ``{name: dict(target=..., start=..., end=..., curve=...)}``, see :class:`Schedule`; the
            name is for people, and lets a child config change one schedule.
    """

    priority = 'HIGH'

    def __init__(self, schedules: dict[str, dict]) -> None:
        known = Schedule.__dataclass_fields__
        for name, schedule in schedules.items():
            stray = sorted(set(schedule or {}) - set(known))
            if stray:
                raise ConfigError(f'schedules.{name} does not take {stray}; it takes {", ".join(known)}')
        self.schedules = [Schedule(**schedule) for schedule in schedules.values() if schedule is not None]
        #: what the scheduled attributes of the model are now, for the log
        self.values: dict[str, float] = {}

    def before_train(self, runner: Any) -> None:
        model = bare(runner.model)
        for schedule in self.schedules:
            if schedule.warmup_epochs > runner.max_epochs:
                runner.logger.warning(
                    f'the warm-up of {schedule.target!r} takes {schedule.warmup_epochs:g} epochs and the training '
                    f'{runner.max_epochs}: it never ends. Lower warmup_epochs, or raise train_cfg.max_epochs'
                )
            if schedule.target != 'lr':
                owner, name = _resolve(model, schedule.target)
                value = getattr(owner, name)
                if isinstance(value, bool) or not isinstance(value, (float, int, torch.Tensor)):
                    raise ConfigError(f'schedules: {schedule.target!r} of the model is no number')
                for end in (schedule.start, schedule.end):
                    if end is not None and hasattr(owner, 'check_scheduled'):
                        owner.check_scheduled(name, end)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        shape = (runner.iter, runner.train_loop.epoch_length, runner.max_epochs)
        for schedule in self.schedules:
            if schedule.target == 'lr':
                for group in runner.optim_wrapper.param_groups:
                    if not group.get('fixed_lr'):  # optim_wrapper.paramwise_cfg.fixed_lr
                        group['lr'] = schedule.value(group['initial_lr'], *shape)
            else:
                value = schedule.value(0.0, *shape)
                self.values[schedule.target.rpartition('.')[2]] = value
                _assign(bare(runner.model), schedule.target, value)


def scheduled_groups(runner: Any) -> list[dict[str, Any]]:
    """The optimiser's groups whose rate a schedule moves; all of them where each is fixed."""
    groups = runner.optim_wrapper.param_groups
    return [group for group in groups if not group.get('fixed_lr')] or groups


def _resolve(model: Any, target: str) -> tuple[Any, str]:
    """The object that holds the attribute ``target``, and the attribute's name."""
    *path, name = target.split('.')
    owner = model
    for depth, part in enumerate([*path, name]):
        if not hasattr(owner, part):
            raise ConfigError(
                f'schedules: the model has no {target!r} ({type(owner).__name__} has no {part!r})'
            )
        if depth < len(path):
            owner = getattr(owner, part)
    return owner, name


def _assign(model: Any, target: str, value: float) -> None:
    owner, name = _resolve(model, target)
    current = getattr(owner, name)
    if isinstance(current, torch.Tensor):
        current.fill_(value)  # in place: a compiled model reads the same tensor
    else:
        setattr(owner, name, value)
