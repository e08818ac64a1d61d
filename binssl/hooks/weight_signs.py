"""Watch on binary weights: signs that flip, signs that never do, weights beyond the reach of their gradient."""

from __future__ import annotations

import math
from typing import Any

import torch
from mmengine.dist import is_main_process
from torch import Tensor

from binssl.hooks.anneal import scheduled_groups
from binssl.hooks.watch import WatchHook, check_share, range_of, trained_binary_convs
from binssl.registry import HOOKS, ConfigError


@HOOKS.register_module()
class WeightSignHook(WatchHook):
    """Compares the signs of all binary weights with those of ``interval`` iterations before.

    - ``flip_rate``: share of the weights whose sign differs, over the optimiser steps in between. A weight that flipped
      and flipped back is not seen, so this is a lower bound; weights without any memory would give 0.5 / steps.
    - ``dead_weights``: share whose sign was the same in each of the last ``dead_after`` comparisons.
    - ``saturated_weights``: share outside the window of the pseudo-gradient, [-1, 1] in most, where it has one.

    Both are read in the weight as its binarizer prepares it: in ReCU's layers the filter's mean is taken from it first.
    One bit and one count, a byte each, are kept for a weight. Real weights and frozen ones are not watched.
    After a resume the first comparison waits for a whole interval.

    Args:
        interval: iterations between two comparisons.
        dead_after: comparisons (10 are 500 iterations) without a flip that make a weight dead.
        least_flip_rate: warn below it, unless the learning rate is below a tenth of its initial value (signs settle
            when it is annealed), the weights are saturated, or so few weights would flip less than once in an interval
            at that rate (then dead weights tell).
        most_flipped: warn where a larger share than this differs after an interval (chance gives 0.5), from the second
            epoch on: many signs flip while the first ones are found.
        most_dead: warn above it, with the first two of these exceptions.
        most_saturated: warn above it.

    Raises:
        ConfigError: a threshold that is no share, a ``dead_after`` outside 1 to 255.
    """

    def __init__(
        self,
        interval: int = 50,
        dead_after: int = 10,
        least_flip_rate: float = 1e-6,
        most_flipped: float = 0.35,
        most_dead: float = 0.99,
        most_saturated: float = 0.5,
    ) -> None:
        super().__init__(interval)
        if not 1 <= dead_after <= 255:
            raise ConfigError(f'dead_after is {dead_after!r}; it must be a number of comparisons from 1 to 255')
        self.dead_after = dead_after
        self.least_flip_rate = check_share('least_flip_rate', least_flip_rate)
        self.most_flipped = check_share('most_flipped', most_flipped)
        self.most_dead = check_share('most_dead', most_dead)
        self.most_saturated = check_share('most_saturated', most_saturated)
        self._convs: list[Any] = []
        self._signs: Tensor | None = None

    def before_train(self, runner: Any) -> None:
        convs = [conv for _, conv in trained_binary_convs(runner.model) if conv.weight_bits == 1]
        self._convs = convs if is_main_process() else []
        self._signs = None
        if self._convs and runner.iter % self.interval == 0:
            self._start(runner.iter // runner.accumulative_counts)

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if not self._convs or not self.looks(runner):
            return
        steps = (runner.iter + 1) // runner.accumulative_counts
        if self._signs is None:
            self._start(steps)
        elif steps > self._steps:
            self._compare(runner, steps)

    def _start(self, steps: int) -> None:
        self._signs = _signs(self._prepared())
        self._since_flip = torch.zeros_like(self._signs, dtype=torch.uint8)
        self._steps, self._comparisons = steps, 0

    @torch.no_grad()
    def _compare(self, runner: Any, steps: int) -> None:
        assert self._signs is not None
        prepared = self._prepared()
        signs = _signs(prepared)
        flipped = signs ^ self._signs
        self._since_flip.clamp_(max=254).add_(1).masked_fill_(flipped, 0)
        windows = [conv.weight_binarizer.gradient.window for conv in self._convs]
        windowed = [pair for pair in zip(prepared, windows, strict=True) if math.isfinite(pair[1])]
        outside = [torch.count_nonzero(weight.abs() > window) for weight, window in windowed]
        dead = torch.count_nonzero(self._since_flip >= self.dead_after)
        counts = torch.stack([torch.count_nonzero(flipped), dead, *outside]).tolist()  # waits for the device, once
        self._comparisons += 1
        share = counts[0] / signs.numel()
        self.report(flip_rate=share / (steps - self._steps))
        if self._comparisons >= self.dead_after:
            self.report(dead_weights=counts[1] / signs.numel())
        if windowed:
            self.report(saturated_weights=sum(counts[2:]) / sum(weight.numel() for weight, _ in windowed))
        measurable = self.least_flip_rate * signs.numel() * (steps - self._steps) >= 1
        self._signs, self._steps = signs, steps
        self._warn(runner, share, measurable, range_of(windows))

    @torch.no_grad()
    def _prepared(self) -> list[Tensor]:
        """The weights of each layer as its binarizer takes their signs."""
        return [conv.weight_binarizer.prepare(conv.weight) for conv in self._convs]

    def _warn(self, runner: Any, flipped: float, measurable: bool, reach: str) -> None:
        rate, dead, saturated = (
            self.values.get(name, 0.0) for name in ('flip_rate', 'dead_weights', 'saturated_weights')
        )
        # where the gradient is gone or the rate is annealed, a higher rate would be the wrong remedy
        excused = saturated > self.most_saturated or _relative_rate(runner) < 0.1
        self.judge(
            runner,
            'few flips',
            measurable and rate < self.least_flip_rate and not excused,
            f'nearly no sign of a binary weight flips any more ({rate:.1e} of them a step, below '
            f'{self.least_flip_rate:.0e}): the network hardly learns. Try a higher learning rate (signs flip only when '
            'a weight crosses 0), or a smaller initialisation where weights lie far from 0',
        )
        self.judge(
            runner,
            'many flips',
            flipped > self.most_flipped and runner.epoch >= 1,
            f'{flipped:.0%} of the binary weights changed their sign within {self.interval} iterations (above '
            f'{self.most_flipped:.0%}; chance gives 50%): what is learned is lost again. Try a lower learning rate, a '
            'longer warm-up (schedules.lr.warmup_epochs), or larger batches',
        )
        self.judge(
            runner,
            'dead',
            dead > self.most_dead and not excused,
            f'{dead:.1%} of the binary weights are dead: their sign did not flip in the last '
            f'{self.dead_after * self.interval} iterations (above {self.most_dead:.0%}). Try a higher learning rate, '
            'or weight decay, which brings weights back to 0',
        )
        self.judge(
            runner,
            'saturated',
            saturated > self.most_saturated,
            f'{saturated:.0%} of the binary weights lie outside {reach} (above {self.most_saturated:.0%}), where their '
            'pseudo-gradient is 0: they no longer learn. Try a lower learning rate or more weight decay, or a '
            "pseudo-gradient without a window (weight=dict(type='ScaledSign', ste='identity'))",
        )


def _signs(prepared: list[Tensor]) -> Tensor:
    """All of them in one row of bits."""
    return torch.cat([(weight >= 0).flatten() for weight in prepared])


def _relative_rate(runner: Any) -> float:
    """The scheduled learning rate as a share of its initial value; the highest of the groups."""
    rates = ((group['lr'], group.get('initial_lr') or group['lr'] or 1.0) for group in scheduled_groups(runner))
    return max(rate / initial for rate, initial in rates)
