"""A scheduled value as a closed form of the iteration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from binssl.registry import ConfigError

CURVES = ('cosine', 'linear', 'exponential', 'geometric', 'step', 'constant')


@dataclass(frozen=True)
class Schedule:
    """A value as a closed form of the iteration, so that a resumed run has nothing to restore.

    With progress p = t / T, t the iteration or the epoch that trains and T their number, or, more generally,
    p = (t + epochs_ahead - begin_epoch) / (T - begin_epoch) within [0, 1], both counted in epochs:

    - cosine: ``end - (end - start) (cos(pi p) + 1) / 2`` (BURN's balance, BYOL's momentum, cosine learning
      rate)
    - linear: ``start + (end - start) p`` (S2-BNN's learning rate)
    - exponential: ``A exp(p) + B`` with A = (end - start) / (e - 1), B = start - A (ReCU's tau,
      arXiv:2103.12369)
    - geometric: ``start (end / start)^p``, both above 0 (the sharpness of IR-Net's gradient, arXiv:1909.10788)
    - step: ``start * gamma ** (number of milestones passed)``, milestones in epochs
    - constant: ``start``

    During the first ``warmup_epochs`` the value is multiplied by ``1 - (1 - n / W) (1 - warmup_ratio)``, n
    the iteration and W the iterations of the warm-up, or both in whole epochs (``warmup_by='epoch'``).

    Bi-Real Net's and ReActNet's rate, ``lr (1 - (e + 1) / E)``, is linear with ``epochs_ahead=1``. ReCU's,
    ``lr (e + 1) / 5`` for e < 5 and then ``lr / 2 (1 + cos(pi (e - 4) / (E - 4)))``, is a cosine with
    ``begin_epoch=4, warmup_epochs=4, warmup_ratio=0.2, warmup_by='epoch'``.

    Args:
        target: ``'lr'``, or the dotted name of an attribute of the model (``'head.kl_weight'``).
        start: value at the beginning; for ``lr`` left out: each group's own learning rate.
        end: value at T.
        by: ``'iter'`` or ``'epoch'``: how often it moves.
        warmup_epochs, warmup_ratio, warmup_by: see above.
        milestones, gamma: of the step curve.
        begin_epoch: where the curve begins; before it, p = 0.
        epochs_ahead: how far ahead of the training the curve is read: 1 makes the last epoch train at ``end``.

    Raises:
        ConfigError: a curve or unit that does not exist, a missing end, a number outside its range, milestones that
            do not rise.
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
    warmup_by: str = 'iter'
    begin_epoch: int = 0
    epochs_ahead: int = 0

    def __post_init__(self) -> None:
        self._check_curve(f'schedule of {self.target!r}')
        self._check_numbers(f'schedule of {self.target!r}')

    def _check_curve(self, name: str) -> None:
        if self.curve not in CURVES:
            raise ConfigError(f'{name}: no curve is called {self.curve!r}; there are {", ".join(CURVES)}')
        for field in ('by', 'warmup_by'):
            if getattr(self, field) not in ('iter', 'epoch'):
                raise ConfigError(f"{name}: `{field}` is {getattr(self, field)!r}; it must be 'iter' or 'epoch'")
        if self.curve in ('cosine', 'linear', 'exponential', 'geometric') and self.end is None:
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

    def _check_numbers(self, name: str) -> None:
        for field in ('start', 'end', 'gamma', 'warmup_epochs', 'warmup_ratio'):
            value = getattr(self, field)
            left_out = value is None and field in ('start', 'end')
            if not left_out and not _is_finite(value):
                raise ConfigError(f'{name}: {field} is {value!r}; it must be a finite number')
        for field in ('begin_epoch', 'epochs_ahead'):
            value = getattr(self, field)
            if not _is_epoch(value):
                raise ConfigError(f'{name}: {field} is {value!r}; it must be a whole number of at least 0')
        if not _rise(self.milestones):
            raise ConfigError(
                f'{name}: milestones are {self.milestones!r}; they must be epochs in rising order, such as [60, 80]'
            )
        if self.curve == 'geometric' and min(1 if self.start is None else self.start, self.end or 0) <= 0:
            raise ConfigError(f'{name}: a geometric curve goes from a number above 0 to another; give such ends')
        if self.warmup_epochs < 0 or not 0 <= self.warmup_ratio <= 1:
            raise ConfigError(f'{name}: warmup_epochs must not be negative and warmup_ratio must lie in [0, 1]')

    def value(self, base: float, iteration: int, epoch_length: int, max_epochs: int) -> float:
        """The value that ``iteration`` trains with; ``base`` stands for a ``start`` that is not given."""
        start, end = base if self.start is None else self.start, self.end or 0.0
        epoch = iteration // epoch_length
        value = self._curve(start, end, self._progress(iteration, epoch_length, max_epochs), epoch)
        done, warmup = (
            (epoch, self.warmup_epochs) if self.warmup_by == 'epoch' else (iteration, self.warmup_epochs * epoch_length)
        )
        if done < warmup:
            value *= 1 - (1 - done / warmup) * (1 - self.warmup_ratio)
        return value

    def _progress(self, iteration: int, epoch_length: int, max_epochs: int) -> float:
        at = iteration // epoch_length if self.by == 'epoch' else iteration / epoch_length
        progress = (at + self.epochs_ahead - self.begin_epoch) / (max_epochs - self.begin_epoch)
        return min(max(progress, 0.0), 1.0)

    def _curve(self, start: float, end: float, progress: float, epoch: int) -> float:
        if self.curve == 'cosine':
            return end - (end - start) * (math.cos(math.pi * progress) + 1) / 2
        if self.curve == 'linear':
            return start + (end - start) * progress
        if self.curve == 'exponential':
            scale = (end - start) / (math.e - 1)
            return scale * math.exp(progress) + start - scale
        if self.curve == 'geometric':
            return start * (end / start) ** progress
        if self.curve == 'step':
            return start * self.gamma ** sum(epoch >= milestone for milestone in self.milestones)
        return start


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -math.inf < value < math.inf


def _is_epoch(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _rise(epochs: Any) -> bool:
    return (
        isinstance(epochs, Sequence)
        and all(_is_epoch(epoch) for epoch in epochs)
        and all(before < after for before, after in pairwise(epochs))
    )
