"""The sign and its pseudo-gradients: pure functions, and the autograd functions made of them.

Every forward here is the same, y = +1 where x >= 0 (both zeros included) and -1 elsewhere: a bit has two
values. What differs is the gradient that is passed through it:

    'clip'      dy/dx = 1 where |x| <= 1, else 0        (BinaryNet, arXiv:1602.02830)
    'triangle'  dy/dx = 2 - 2|x| where |x| <= 1, else 0 (Bi-Real Net, arXiv:1808.00278)
    'identity'  dy/dx = 1                               (the straight-through estimator without a clip)

A backward needs the sign again (for the weights that it met) and the window. Both are recomputed from one
kept tensor: the input itself for the triangle, one signed byte an element for the others.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

GRADIENTS = ('clip', 'triangle', 'identity')


def binary_sign(x: Tensor) -> Tensor:
    """+1 where x >= 0 (0.0 and -0.0 included), -1 elsewhere; shape, dtype and memory format are kept."""
    # -1, 0, 1 -> -0.5, 0.5, 1.5 -> -1, 1, 1: on a CPU ten times as fast as torch.where
    return x.sign().add_(0.5).sign_()


def keep(x: Tensor, sign: Tensor, gradient: str) -> Tensor:
    """What the backward has to know of ``x``, as small as it gets.

    Args:
        x: The input of the sign, any shape.
        sign: ``binary_sign(x)``.
        gradient: One of :data:`GRADIENTS`.

    Returns:
        For 'triangle' ``x`` itself. For 'identity' the sign as int8. For 'clip' an int8 code: +-1 where
        |x| <= 1 and +-2 outside, with the sign of the bit.
    """
    if gradient == 'triangle':
        return x
    if gradient == 'identity':
        return sign.to(torch.int8)
    inside = _clip(sign, x)  # the sign where |x| <= 1, else 0
    return inside.lerp_(sign, 2.0).to(torch.int8)  # 2 sign - inside


def kept_sign(kept: Tensor, dtype: torch.dtype) -> Tensor:
    """The sign again, in ``dtype``, from what :func:`keep` gave."""
    if kept.dtype == torch.int8:
        return kept.to(dtype).sign_()
    return binary_sign(kept).to(dtype)  # the sign first: a cast may flush a small number to zero


def pull_back(grad: Tensor, kept: Tensor, gradient: str) -> Tensor:
    """``grad`` (with respect to the sign) times the pseudo-gradient: the gradient with respect to x.

    Args:
        grad: Gradient of the sign, the shape of x.
        kept: What :func:`keep` gave, or x itself.
        gradient: One of :data:`GRADIENTS`.
    """
    if gradient == 'identity':
        return grad
    if gradient == 'triangle':
        return kept.abs().clamp_(max=1).sub_(1).mul_(-2).mul_(grad)
    if kept.dtype == torch.int8:
        return torch.ops.aten.hardtanh_backward(grad, kept.to(grad.dtype), -1.5, 1.5)
    return _clip(grad, kept)


def _clip(values: Tensor, x: Tensor) -> Tensor:
    """``values`` where |x| <= 1, else 0, in one pass."""
    bound = 1 + torch.finfo(x.dtype).eps  # hardtanh's window is open: the next number above 1
    return torch.ops.aten.hardtanh_backward(values, x, -bound, bound)


def filter_scale(weight: Tensor) -> Tensor:
    """mean|w| of each output filter (XNOR-Net, arXiv:1603.05279): (O, I, ...) -> (O, 1, ...)."""
    return weight.abs().mean(dim=tuple(range(1, weight.dim())), keepdim=True)


class _Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gradient: str) -> Tensor:
        sign = binary_sign(x)
        ctx.gradient = gradient
        ctx.save_for_backward(keep(x, sign, gradient))
        return sign

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (kept,) = ctx.saved_tensors
        return pull_back(grad, kept, ctx.gradient), None


class _ScaledSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, gradient: str, scale_gradient: bool) -> Tensor:
        scale = filter_scale(weight)
        ctx.gradient, ctx.scale_gradient = gradient, scale_gradient
        ctx.save_for_backward(weight, scale)
        return binary_sign(weight).mul_(scale)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        weight, scale = ctx.saved_tensors
        if ctx.scale_gradient:
            grad = grad * scale
        return pull_back(grad, weight, ctx.gradient), None, None


def straight_through_sign(x: Tensor, gradient: str = 'clip') -> Tensor:
    """Sign with a pseudo-gradient, differentiable.

    Args:
        x: Any shape, floating point.
        gradient: One of :data:`GRADIENTS`; the module's docstring has their maths.

    Returns:
        +-1, the shape and dtype of x. The backward keeps x itself for 'triangle', else int8.
    """
    check_gradient(gradient)
    return _Sign.apply(x, gradient) if torch.is_grad_enabled() else binary_sign(x)


def scaled_sign(weight: Tensor, gradient: str = 'clip', scale_gradient: bool = False) -> Tensor:
    """Binary weights of one step size a filter, differentiable.

    forward:  y = s sign(w), s = mean|w| over the filter
    backward: dy/dw = window(w), times s where ``scale_gradient``; never through s

    Args:
        weight: (O, I, ...).
        gradient: The window, one of :data:`GRADIENTS`.
        scale_gradient: Multiply the gradient by s.
    """
    check_gradient(gradient)
    return _ScaledSign.apply(weight, gradient, scale_gradient)


def check_gradient(gradient: str) -> None:
    """Raise a ValueError where ``gradient`` is none of :data:`GRADIENTS`."""
    if gradient not in GRADIENTS:
        raise ValueError(f'pseudo-gradient {gradient!r} is not known; choose from {", ".join(GRADIENTS)}')
