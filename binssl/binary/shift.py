"""Learnable shifts: the threshold before a sign, and ReActNet's activation (arXiv:2003.03488)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


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
        x = nn.functional.prelu(x, self.prelu.weight.to(x.dtype))
        return self.shift_out(x)
