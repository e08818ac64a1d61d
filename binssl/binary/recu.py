"""ReCU (arXiv:2103.12369): binarizers of weights and activations, and the learned scale of the output.

Statistics are taken in float32 at least. The backward of unit variance and of rectified weights is written out, so
that autograd keeps one tensor of the input's size and not one a step.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from binssl.binary.binarizers import Binarizer, Gradient
from binssl.registry import BINARIZERS

EPSILON = 1e-5  # added to every variance
SPREAD = 2 * math.sqrt(2)  # of standardised weights: the standard deviation of a Laplace distribution of scale 2


class _UnitVariance(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        variance, mean = _statistics(x)
        deviation = (variance + EPSILON).sqrt()
        y = (x / deviation).to(x.dtype)
        ctx.save_for_backward(y, mean / deviation, deviation)  # y is what the sign keeps: the same tensor
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        y, mean, deviation = ctx.saved_tensors
        dims, grad = _all_but_first(y), grad.to(deviation.dtype)
        # d deviation / dx = (y - mean) / (n - 1)
        pull = (grad * y).sum(dims, keepdim=True) / (y[0].numel() - 1)
        # (grad - pull (y - mean)) / deviation, in one new map
        return torch.addcmul(grad, y, pull, value=-1).add_(pull * mean).div_(deviation).to(y.dtype)


class _Rectify(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, tau: Tensor) -> Tensor:
        variance, mean = _statistics(weight)
        factor = SPREAD / (variance + EPSILON).sqrt()
        standard = (weight - mean) * factor
        bound = _quantile(standard, tau)
        ctx.save_for_backward(weight, mean, factor, bound)  # the parameter itself, and one number a filter
        return standard.clamp(-bound, bound).to(weight.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        weight, mean, factor, bound = ctx.saved_tensors
        dims = _all_but_first(weight)
        standard = (weight - mean) * factor
        grad = grad.to(standard.dtype).masked_fill(standard.abs() > bound, 0)
        # d standard_i / d weight_j: the deviation has the derivative standard_j / (SPREAD (n - 1)), the mean 1 / n
        pull = (grad * standard).sum(dims, keepdim=True) / (SPREAD**2 * (weight[0].numel() - 1))
        return (((grad - grad.mean(dims, keepdim=True)) - pull * standard) * factor).to(weight.dtype), None


def unit_variance(x: Tensor) -> Tensor:
    """x / sqrt(var + 1e-5) with the unbiased variance of each sample; the gradient flows through it.

    Args:
        x: (N, ...), at least two elements a sample.

    Returns:
        The shape and dtype of x.
    """
    return _UnitVariance.apply(x)


def rectify(weight: Tensor, tau: Tensor) -> Tensor:
    """Standardised weights, clamped to the quantiles of their distribution (ReCU's rectified clamp unit).

    w1 = 2 sqrt(2) (w - mean) / sqrt(var + 1e-5) for each filter, the variance unbiased
    w2 = clamp(w1, -Q, Q), Q = -EW ln(2 - 2 tau), EW = mean|w1| over the layer

    The weights are taken to be Laplacian, of scale EW; Q is then the tau-quantile. No gradient flows through Q.

    Args:
        weight: (O, I, ...), at least two elements a filter.
        tau: One number in (0.5, 1]; at 1 nothing is clamped.

    Returns:
        The shape and dtype of the weights.
    """
    return _Rectify.apply(weight, tau)


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Unbiased variance and mean of each sample, (N, 1, ...), in float32 at least."""
    if x[0].numel() < 2:
        raise ValueError(f'there is no variance in a sample of one element; this is a tensor of {tuple(x.shape)}')
    return torch.var_mean(x.to(torch.promote_types(x.dtype, torch.float32)), _all_but_first(x), keepdim=True)


def _quantile(standard: Tensor, tau: Tensor) -> Tensor:
    """The tau-quantile of a Laplace distribution with the mean magnitude of ``standard``; infinite at tau = 1."""
    bound = -standard.abs().mean() * torch.log(2 - 2 * tau)
    # not 0 times infinity, where all weights of a filter are equal
    return torch.where(tau < 1, bound, math.inf).to(standard.dtype)


def _all_but_first(x: Tensor) -> tuple[int, ...]:
    return tuple(range(1, x.dim()))


@BINARIZERS.register_module()
class RectifiedSign(Binarizer):
    """ReCU's weights: standardised for each filter, the tails of their distribution clamped, then the sign.

    forward:  w1 = 2 sqrt(2) (w - mean) / sqrt(var + 1e-5) for each filter (unbiased);
              w2 = clamp(w1, -Q, Q) with Q = -EW ln(2 - 2 tau), EW = mean|w1| over the layer; y = sign(w2)
    backward: dy/dw2 = 1, then that of the clamp and of mean and variance; none through Q

    So the clamp shows in the gradient alone: a weight beyond Q gets none of its own and is only drawn by its filter's
    statistics. ``tau`` is a buffer that no checkpoint holds; a schedule moves it (published: 0.85 to 0.99 over the
    training). Keeps the prepared weights for the backward.

    Shape: (O, I, ...) -> same. Dtype is kept.

    Args:
        tau: The quantile at which weights are clamped, above 0.5; 1: no clamp, the value at which ReCU's layers are
            constructed.
        gradient: dy/dw2, the name or config of one of GRADIENTS.

    Raises:
        ConfigError: ``tau`` lies outside (0.5, 1], at whose lower end everything would be clamped to 0.
    """

    fits = ('weight',)
    tau: Tensor

    def __init__(self, tau: float = 0.85, gradient: Gradient = 'identity') -> None:
        super().__init__(gradient)
        self.keep_scheduled('tau', tau, low=0.5, high=1, open_low=True)

    def prepare(self, x: Tensor) -> Tensor:
        return rectify(x, self.tau)


@BINARIZERS.register_module()
class UnitVarianceSign(Binarizer):
    """ReCU's activations: divided by the deviation of their sample while training, then the sign.

    forward:  x1 = x / sqrt(var(x) + 1e-5) for each sample (unbiased) in training, x1 = x otherwise; y = sign(x1)
    backward: dy/dx1 = 2 - 2|x1| inside [-1, 1], 0 outside, then that of the division, through the variance too

    The sign is that of x in either mode: the deviation moves the window of the gradient and nothing else. Keeps x1
    for the backward. Shape: (N, C, H, W) -> same. Dtype is kept.

    Args:
        gradient: dy/dx1, the name or config of one of GRADIENTS.
    """

    fits = ('activation',)

    def __init__(self, gradient: Gradient = 'triangle') -> None:
        super().__init__(gradient)

    def prepare(self, x: Tensor) -> Tensor:
        return unit_variance(x) if self.training else x


@BINARIZERS.register_module()
class ChannelScale(nn.Module):
    """ReCU's output scale: one learned factor for each channel, drawn from U(0, 1) at the start.

    forward:  y = alpha x
    Shape: (N, C, H, W) -> same. Dtype is kept.

    :class:`~binssl.binary.conv.BinaryConv2d` reads ``alpha`` and does the same in place, without a second map.

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
