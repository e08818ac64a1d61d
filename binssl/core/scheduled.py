"""Numbers of a loss that a hook may move while training."""

from __future__ import annotations

import math

import torch
from torch import nn

from binssl.registry import ConfigError


class Scheduled(nn.Module):
    """A module that keeps such numbers, each with its bounds.

    Attributes:
        scheduled_bounds: lowest and highest value of each by its name, and whether the lowest itself is left out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scheduled_bounds: dict[str, tuple[float, float, bool]] = {}

    def keep_scheduled(self, name: str, value: float, low: float, high: float, open_low: bool = False) -> None:
        """Keep ``value`` under ``name``, a 0-dim float64 buffer that no checkpoint holds.

        A tensor, so that filling it reaches a compiled model too; 0-dim, so that it leaves the dtype of what it
        multiplies alone; not persistent, since a schedule gives it again from the iteration.

        Raises:
            ConfigError: ``value`` lies outside [low, high], or (low, high] where ``open_low``.
        """
        self.scheduled_bounds[name] = (low, high, open_low)
        self.check_scheduled(name, value)
        self.register_buffer(name, torch.tensor(value, dtype=torch.float64), persistent=False)

    def check_scheduled(self, name: str, value: float) -> None:
        """Ask whether ``name`` may become ``value``: at construction, and of both ends of a schedule.

        Raises:
            ConfigError: it may not. What is kept without bounds may become anything.
        """
        low, high, open_low = self.scheduled_bounds.get(name, (-math.inf, math.inf, False))
        is_number = isinstance(value, (int, float)) and not math.isnan(value)
        if not is_number or not (low < value if open_low else low <= value) or not value <= high:
            allowed = f'{"above" if open_low else "at least"} {low:g} and at most {high:g}'
            raise ConfigError(f'{name} {value} of {type(self).__name__} must be {allowed}')
