"""The base of the hooks that watch a binary run: when they look, what they report, how they warn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from torch import nn

from binssl.binary import BinaryConv2d
from binssl.core.processes import unwrap
from binssl.registry import ConfigError


class WarningHook(Hook):
    """Base of the hooks that warn in words, once until what was wrong is well again."""

    priority = 'NORMAL'

    def __init__(self) -> None:
        self._said: set[str] = set()

    def judge(self, runner: Any, subject: str, ill: bool, words: str) -> None:
        """Warn with ``words`` where ``subject`` is ill, unless that was said and it was not well since."""
        if not ill:
            self._said.discard(subject)
        elif subject not in self._said:
            self._said.add(subject)
            runner.logger.warning(words)


class WatchHook(WarningHook):
    """Base of the hooks that look at a run every ``interval`` iterations and leave it as it is.

    They draw no random number, change no tensor and take part in no communication: a run with them is bit for bit
    the run without. The first process looks, at what is its own; the others go on. Nothing of it is in a
    checkpoint: after a resume the counts start again.

    Args:
        interval: iterations between two looks; the numbers stand in every report until the next one.

    Attributes:
        values: what was seen last, finite numbers only, for the report.

    Raises:
        ConfigError: an interval below 1.
    """

    def __init__(self, interval: int = 50) -> None:
        super().__init__()
        if interval < 1:
            raise ConfigError(f'interval of {type(self).__name__} is {interval!r}; it must be an integer of at least 1')
        self.interval = interval
        self.values: dict[str, float] = {}

    def looks(self, runner: Any) -> bool:
        """Whether the iteration that runs now is one to be looked at, by this process."""
        return (runner.iter + 1) % self.interval == 0 and is_main_process()

    def report(self, **numbers: float) -> None:
        """Take ``numbers`` into ``values``; one that is not finite takes the older one away."""
        for name, number in numbers.items():
            self.values.pop(name, None)
            if math.isfinite(number):
                self.values[name] = number


def check_share(name: str, value: Any) -> float:
    """``value``, a threshold between 0 and 1.

    Raises:
        ConfigError: it lies outside.
    """
    if not 0 <= value <= 1:
        raise ConfigError(f'{name} is {value!r}; it must be a share, a number from 0 to 1')
    return value


def trained_binary_convs(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """Names and modules of the BinaryConv2ds whose weights are trained; a teacher's are not."""
    for name, module in unwrap(model).named_modules():
        if isinstance(module, BinaryConv2d) and module.weight.requires_grad:
            yield name, module


def range_of(windows: Iterable[float]) -> str:
    """Outside of what pseudo-gradients of these windows are 0, as a warning has it."""
    return ' or '.join(f'[-{window:g}, {window:g}]' for window in sorted(set(windows)) if math.isfinite(window))
