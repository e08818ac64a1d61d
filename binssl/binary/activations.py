"""Real-valued activations: learnable shifts, and functions in the place of a sign.

ReActNet (arXiv:2003.03488) learns the threshold before a sign and the shifts around a PReLU. Bi-Real Net
(arXiv:1808.00278) trains a real network with ReLU, then with a leaky clip, then with a clip, whose range and slopes
come ever nearer to those of the sign, and hands the weights from each to the next.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from binssl.binary.binarizers import Binarizer
from binssl.registry import BINARIZERS, ConfigError


class Shift(nn.Module):
    """One learnable offset for each channel; before a sign it is ReActNet's learnable threshold (RSign).

    forward:  y = x + b
    Shape: (N, C, H, W) -> same. Dtype is kept, so that under autocast the map stays in half precision.

    Args:
        channels: C; the parameter ``bias`` is (1, C, 1, 1), zero at the start.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias.to(x.dtype)

    def extra_repr(self) -> str:
        return str(self.bias.shape[1])


class RPReLU(nn.Module):
    """PReLU between two learnable shifts (ReActNet, arXiv:2003.03488).

    forward:  y = prelu(x + b_in) + b_out, slope a, b_in and b_out for each channel; a = 0.25 at the start
    Shape: (N, C, H, W) -> same. Dtype is kept.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shift_in = Shift(channels)
        self.prelu = nn.PReLU(channels)
        self.shift_out = Shift(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.shift_in(x)
        # not self.prelu(x): the slope is float32 under autocast, x may not be
        x = F.prelu(x, self.prelu.weight.to(x.dtype))
        return self.shift_out(x)


@BINARIZERS.register_module()
class ReLU(Binarizer):
    """y = max(x, 0). Shape: any -> same. Dtype is kept."""

    fits = ('activation',)

    def __init__(self) -> None:
        super().__init__()

    def prepare(self, x: Tensor) -> Tensor:
        return F.relu(x)


@BINARIZERS.register_module()
class Clip(Binarizer):
    """y = x inside [-1, 1], the nearer end outside. Shape: any -> same. Dtype is kept."""

    fits = ('activation',)

    def __init__(self) -> None:
        super().__init__()

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
        if not 0 <= slope < 1:
            raise ConfigError(f"LeakyClip's slope is {slope!r}; it must be a number from 0 to below 1, as 0.1")
        self.slope = slope

    def prepare(self, x: Tensor) -> Tensor:
        return torch.lerp(F.hardtanh(x), x, self.slope)  # clip(x) + slope (x - clip(x)), keeping x alone

    def extra_repr(self) -> str:
        return f'slope={self.slope:g}'
