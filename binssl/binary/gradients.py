"""The sign, and the pseudo-gradients that stand for its derivative in the backward.

Every forward is the same, y = +1 where x >= 0 (both zeros included) and -1 elsewhere: a bit has two values. What
differs is the gradient that is passed through it, an object of its own, registered and named by a config:

    gradient='clip', or gradient=dict(type='TanhGradient', sharpness=0.1)

A backward needs the sign again (for the weights that it met) and the gradient. Both are recomputed from one tensor,
which :meth:`PseudoGradient.keep` chooses: x itself, or an int8 code that has the sign of the bit.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from mmengine.config import ConfigDict
from torch import Tensor

from binssl.core.scheduled import Scheduled
from binssl.registry import GRADIENTS


def binary_sign(x: Tensor) -> Tensor:
    """+1 where x >= 0 (0.0 and -0.0 included), -1 elsewhere; shape, dtype and memory format are kept."""
    # -1, 0, 1 -> -0.5, 0.5, 1.5 -> -1, 1, 1: on a CPU ten times as fast as torch.where
    return x.sign().add_(0.5).sign_()


def kept_sign(kept: Tensor, dtype: torch.dtype) -> Tensor:
    """The sign again, in ``dtype``, from what :meth:`PseudoGradient.keep` gave."""
    if kept.dtype == torch.int8:
        return kept.to(dtype).sign_()
    return binary_sign(kept).to(dtype)  # the sign first: a cast may flush a small number to zero


class PseudoGradient(Scheduled):
    """Base of all pseudo-gradients: dy/dx of y = sign(x), as the backward takes it.

    Attributes:
        window: |x| beyond which it is 0; infinite where it is 0 nowhere.
    """

    window: float = math.inf

    def keep(self, x: Tensor, sign: Tensor) -> Tensor:
        """What the backward has to know of ``x``: x itself, or int8 numbers with the signs of ``sign``."""
        return x

    def pull_back(self, grad: Tensor, kept: Tensor) -> Tensor:
        """``grad`` (with respect to the sign) times dy/dx: the gradient with respect to x.

        Args:
            grad: Gradient of the sign, the shape of x.
            kept: What :meth:`keep` gave, or x itself.
        """
        raise NotImplementedError(f'{type(self).__name__} has no pull_back')


@GRADIENTS.register_module(name=['ClipGradient', 'clip'])
class ClipGradient(PseudoGradient):
    """The clipped straight-through estimator (BinaryNet, arXiv:1602.02830): dy/dx = 1 where |x| <= 1, else 0.

    Keeps a byte an element: +-1 inside the window, +-2 outside.
    """

    window = 1.0

    def keep(self, x: Tensor, sign: Tensor) -> Tensor:
        inside = _clip(sign, x)  # the sign where |x| <= 1, else 0
        return inside.lerp_(sign, 2.0).to(torch.int8)  # 2 sign - inside

    def pull_back(self, grad: Tensor, kept: Tensor) -> Tensor:
        if kept.dtype == torch.int8:
            return torch.ops.aten.hardtanh_backward(grad, kept.to(grad.dtype), -1.5, 1.5)
        return _clip(grad, kept)


@GRADIENTS.register_module(name=['TriangularGradient', 'triangle'])
class TriangularGradient(PseudoGradient):
    """The slope of a piecewise polynomial (Bi-Real Net, arXiv:1808.00278): dy/dx = 2 - 2|x| where |x| <= 1, else 0."""

    window = 1.0

    def pull_back(self, grad: Tensor, kept: Tensor) -> Tensor:
        return kept.abs().clamp_(max=1).sub_(1).mul_(-2).mul_(grad)


@GRADIENTS.register_module(name=['IdentityGradient', 'identity'])
class IdentityGradient(PseudoGradient):
    """The straight-through estimator without a clip: dy/dx = 1. Keeps the sign, a byte an element."""

    def keep(self, x: Tensor, sign: Tensor) -> Tensor:
        return sign.to(torch.int8)

    def pull_back(self, grad: Tensor, kept: Tensor) -> Tensor:
        return grad


@GRADIENTS.register_module(name=['TanhGradient', 'tanh'])
class TanhGradient(PseudoGradient):
    """The slope of a tanh that grows into the sign: IR-Net's error decay estimator (EDE, arXiv:1909.10788).

    backward: dy/dx = k t (1 - tanh^2(t x)), k = max(1 / t, 1)

    So k t = max(1, t): nearly the identity while t is small, a peak of height t and width 1 / t in the end. Published:
    t = T_min (T_max / T_min)^(i / N) in epoch i of N, from 0.1 to 10 (IR-Net's released code for CIFAR-10 begins at
    0.001), which is ``schedules.sharpness = dict(target='backbone.*.sharpness', curve='geometric', start=0.1, end=10,
    by='epoch')``. It has no window: nowhere is it 0.

    Args:
        sharpness: t, above 0 and at most 1000; a schedule moves it, and no checkpoint holds it.

    Raises:
        ConfigError: ``sharpness`` lies elsewhere.
    """

    sharpness: Tensor

    def __init__(self, sharpness: float = 1.0) -> None:
        super().__init__()
        self.keep_scheduled('sharpness', sharpness, low=0, high=1000, open_low=True)

    def pull_back(self, grad: Tensor, kept: Tensor) -> Tensor:
        slope = (kept * self.sharpness).tanh_().square_().neg_().add_(1)
        return slope.mul_(self.sharpness.clamp(min=1)).mul_(grad)


def build_gradient(cfg: str | dict | ConfigDict) -> PseudoGradient:
    """The pseudo-gradient that a config names, alone or with its settings.

    Raises:
        ConfigError: There is none of that name, or it does not take the settings.
    """
    return GRADIENTS.build({'type': cfg} if isinstance(cfg, str) else cfg)


class _Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gradient: PseudoGradient) -> Tensor:
        sign = binary_sign(x)
        ctx.gradient = gradient
        ctx.save_for_backward(gradient.keep(x, sign))
        return sign

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (kept,) = ctx.saved_tensors
        return ctx.gradient.pull_back(grad, kept), None


def straight_through_sign(x: Tensor, gradient: PseudoGradient) -> Tensor:
    """+-1, the shape and dtype of ``x`` (any shape, floating point), with ``gradient`` in the backward."""
    return _Sign.apply(x, gradient)


def _clip(values: Tensor, x: Tensor) -> Tensor:
    """``values`` where |x| <= 1, else 0, in one pass."""
    bound = 1 + torch.finfo(x.dtype).eps  # hardtanh's window is open: the next number above 1
    return torch.ops.aten.hardtanh_backward(values, x, -bound, bound)
