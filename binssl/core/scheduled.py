"""Numbers of a loss or a binarizer that a hook may move while training."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from binssl.registry import ConfigError


class Scheduled(nn.Module):
    """A module that keeps such numbers, each with its bounds.

    They move with the module and are never cast: ``half()`` of a network leaves them the float64 that they are, and
    only a device without float64 (mps) holds them in float32.

    Attributes:
        scheduled_bounds: lowest and highest value of each by its name, and whether the lowest itself is left out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scheduled_bounds: dict[str, tuple[float, float, bool]] = {}

    def keep_scheduled(self, name: str, value: float, low: float, high: float, open_low: bool = False) -> None:
        """Keep ``value`` under ``name``, a 0-dim float64 buffer that no checkpoint holds.

        A tensor, so that filling it reaches a compiled model too; 0-dim, so that it leaves the dtype of what it
        multiplies alone, unless that is 0-dim too (a loss: ``number.to(loss.dtype)``); not persistent, since a
        schedule gives it again from the iteration.

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

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Scheduled:
        kept = {name: self._buffers.pop(name) for name in self.scheduled_bounds if name in self._buffers}
        super()._apply(fn, recurse)
        for name, value in kept.items():
            assert value is not None
            # fn moves and casts all that a module holds: take from it where to, not what as
            device = fn(torch.empty(0, device=value.device)).device
            self._buffers[name] = value.to(device, torch.float32 if device.type == 'mps' else torch.float64)
        return self
