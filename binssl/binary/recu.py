"""ReCU (arXiv:2103.12369): binarizers of weights and activations, and the learned scale of the output."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from binssl.binary.binarizers import Binarizer, SignRule
from binssl.binary.standardise import rectify, unit_variance
from binssl.registry import BINARIZERS, ConfigError


@BINARIZERS.register_module()
class RectifiedSign(Binarizer):
    """ReCU's weights: standardised for each filter, the tails of their distribution clamped, then the sign.

    forward:  w1 = 2 sqrt(2) (w - mean) / sqrt(var + 1e-5) for each filter (unbiased);
              w2 = clamp(w1, -Q, Q) with Q = -EW ln(2 - 2 tau), EW = mean|w1| over the layer; y = sign(w2)
    backward: dy/dw2 = 1, then that of the clamp and of mean and variance; none through Q

    So the clamp shows in the gradient alone: a weight beyond Q gets none of its own and is only drawn by its filter's
    statistics. ``tau`` is a buffer that no checkpoint holds; a schedule moves it (published: 0.85 to 0.99 over the
    training). It moves with the module and is never cast: ``half()`` of a network leaves it the float64 that it is, and
    only a device without float64 (mps) holds it in float32. Keeps the prepared weights for the backward.

    Shape: (O, I, ...) -> same. Dtype is kept.

    Args:
        tau: The quantile at which weights are clamped, above 0.5; 1: no clamp, the value at which ReCU's layers are
            constructed.

    Raises:
        ConfigError: ``tau`` lies outside (0.5, 1].
    """

    rule = SignRule('identity')
    fits = ('weight',)
    tau: Tensor

    def __init__(self, tau: float = 0.85) -> None:
        super().__init__()
        self.check_scheduled('tau', tau)
        self.register_buffer('tau', torch.tensor(tau, dtype=torch.float64), persistent=False)

    def check_scheduled(self, name: str, value: float) -> None:
        """Ask whether ``name`` may become ``value``: at construction, and of both ends of a schedule.

        Raises:
            ConfigError: it may not.
        """
        if name == 'tau' and not (isinstance(value, (int, float)) and 0.5 < value <= 1):
            raise ConfigError(
                f'tau {value} of RectifiedSign must be above 0.5, where everything is clamped to 0, and at most 1, '
                'where nothing is; ReCU goes from 0.85 to 0.99'
            )

    def prepare(self, x: Tensor) -> Tensor:
        return rectify(x, self.tau)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> RectifiedSign:
        # fn moves and casts all that a module holds, here nothing but tau: take from it where to, not what as
        device = fn(torch.empty(0, device=self.tau.device)).device
        self.tau = self.tau.to(device, torch.float32 if device.type == 'mps' else torch.float64)
        return self


@BINARIZERS.register_module()
class UnitVarianceSign(Binarizer):
    """ReCU's activations: divided by the deviation of their sample while training, then the sign.

    forward:  x1 = x / sqrt(var(x) + 1e-5) for each sample (unbiased) in training, x1 = x otherwise; y = sign(x1)
    backward: dy/dx1 = 2 - 2|x1| inside [-1, 1], 0 outside, then that of the division, through the variance too

    The sign is that of x in either mode: the deviation moves the window of the gradient and nothing else. Keeps x1
    for the backward. Shape: (N, C, H, W) -> same. Dtype is kept.
    """

    rule = SignRule('triangle')
    fits = ('activation',)

    def prepare(self, x: Tensor) -> Tensor:
        return unit_variance(x) if self.training else x


@BINARIZERS.register_module()
class ChannelScale(nn.Module):
    """ReCU's output scale: one learned factor for each channel, drawn from U(0, 1) at the start.

    forward:  y = alpha x
    Shape: (N, C, H, W) -> same. Dtype is kept.

    :class:`~binssl.binary.conv.BinaryConv2d` reads ``alpha`` and multiplies it into its weights, which is the same.

    Args:
        channels: C; the parameter ``alpha`` is (C, 1, 1).
    """

    fits = ('scale',)

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.rand(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.alpha.to(x.dtype)

    def extra_repr(self) -> str:
        return str(len(self.alpha))
