"""Real functions in the place of an activation's sign: the steps of a network that becomes binary step by step.

Bi-Real Net (arXiv:1808.00278) trains a real network with ReLU, then with a leaky clip, then with a clip, whose
range and slopes come ever nearer to those of the sign, and hands the weights from each to the next.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from binssl.binary.binarizers import Binarizer
from binssl.registry import BINARIZERS, ConfigError


@BINARIZERS.register_module()
class ReLU(Binarizer):
    """y = max(x, 0). Shape: any -> same. Dtype is kept."""

    fits = ('activation',)

    def prepare(self, x: Tensor) -> Tensor:
        return F.relu(x)


@BINARIZERS.register_module()
class Clip(Binarizer):
    """y = x inside [-1, 1], the nearer end outside. Shape: any -> same. Dtype is kept."""

    fits = ('activation',)

    def prepare(self, x: Tensor) -> Tensor:
        return F.hardtanh(x)


@BINARIZERS.register_module()
class LeakyClip(Binarizer):
    """A clip that goes on with a small slope: y = x inside [-1, 1], sign(x) (1 + slope (|x| - 1)) outside.

    Shape: any -> same. Dtype is kept.

    Args:
        slope: Outside [-1, 1], from 0 (a clip) to below 1.

    Raises:
        ConfigError: ``slope`` lies elsewhere.
    """

    fits = ('activation',)

    def __init__(self, slope: float = 0.1) -> None:
        super().__init__()
        if not isinstance(slope, (int, float)) or not 0 <= slope < 1:
            raise ConfigError(f"LeakyClip's slope is {slope!r}; it must be a number from 0 to below 1, as 0.1")
        self.slope = slope

    def prepare(self, x: Tensor) -> Tensor:
        return torch.lerp(F.hardtanh(x), x, self.slope)  # clip(x) + slope (x - clip(x)), keeping x alone

    def extra_repr(self) -> str:
        return f'slope={self.slope:g}'
