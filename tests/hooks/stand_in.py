"""What a watching hook asks of a Runner, for cases that are made by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmengine.hooks import Hook
from torch import nn


class StandIn:
    """A run of ``model`` whose iterations do what the test says; ``warnings`` and ``information`` keep the words.

    The learning rate is ``rate`` times its initial value.
    """

    def __init__(self, model: nn.Module, accumulative_counts: int = 1, epoch_length: int = 10**6, **cfg: Any) -> None:
        self.model, self.cfg = model, cfg
        self.accumulative_counts, self.epoch_length = accumulative_counts, epoch_length
        self.iter, self.max_iters, self.rate = 0, 10**6, 1.0
        self.warnings: list[str] = []
        self.information: list[str] = []
        self.logger = self.optim_wrapper = self

    @property
    def epoch(self) -> int:
        return self.iter // self.epoch_length

    @property
    def param_groups(self) -> list[dict]:
        return [dict(lr=0.1 * self.rate, initial_lr=0.1)]

    def warning(self, words: str) -> None:
        self.warnings.append(words)

    def info(self, words: str) -> None:
        self.information.append(words)

    def iterate(self, hook: Hook, act: Callable[[], object] = lambda: None, times: int = 1) -> None:
        """``times`` iterations that do ``act``."""
        for _ in range(times):
            hook.before_train_iter(self, 0)
            act()
            hook.after_train_iter(self, 0)
            self.iter += 1
