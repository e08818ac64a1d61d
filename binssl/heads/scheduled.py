"""Numbers of a loss that a hook may move while training."""

from __future__ import annotations

import torch
from torch import nn

from binssl.registry import ConfigError


def keep_scheduled(module: nn.Module, name: str, value: float, low: float, high: float,
                   open_low: bool = False) -> None:
    """Keep ``value`` as ``module.<name>``, a 0-dim float64 buffer that no checkpoint holds.

    A tensor, so that filling it reaches a compiled model too; 0-dim, so that it leaves the dtype of what it
    multiplies alone; not persistent, since a schedule gives it again from the iteration.

    Raises:
        ConfigError: ``value`` lies outside [low, high], or (low, high] where ``open_low``.
    """
    if not (low < value if open_low else low <= value) or not value <= high:
        allowed = f'{"above" if open_low else "at least"} {low:g} and at most {high:g}'
        raise ConfigError(f'{name} {value} of {type(module).__name__} must be {allowed}')
    module.register_buffer(name, torch.tensor(value, dtype=torch.float64), persistent=False)
