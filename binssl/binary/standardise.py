"""What ReCU (arXiv:2103.12369) does before its signs, as functions: unit variance, standardised and clamped weights.

Statistics are taken in float32 at least. The backward of each is written out, so that autograd keeps one tensor of the
input's size and not one a step.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

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
