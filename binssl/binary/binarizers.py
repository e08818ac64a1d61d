"""Binarizers: modules that turn real numbers into two values, registered and built from config.

A binarizer is a preparation, differentiable and often nothing at all, the sign of it with a pseudo-gradient
(:mod:`binssl.binary.gradients`), and the two values that the sign chooses from, its levels.
:class:`~binssl.binary.conv.BinaryConv2d` calls the first and does the others in its lean autograd function. A new one
is one class: ``prepare`` or ``levels``, and a gradient. The signs here have no preparation but IR-Net's;
:mod:`binssl.binary.recu`, :mod:`binssl.binary.adabin` and :mod:`binssl.binary.activations` have the others.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import torch
from mmengine.config import ConfigDict
from torch import Tensor

from binssl.binary.gradients import PseudoGradient, build_gradient, straight_through_sign
from binssl.core.scheduled import Scheduled
from binssl.registry import BINARIZERS

Gradient: TypeAlias = str | dict | ConfigDict


class Levels(NamedTuple):
    """The two values of a binarizer: centre - step and centre + step.

    Args:
        step: One for each filter, (O, 1, ...), or for the whole tensor; None: 1.
        centre: Likewise; None: 0.
        scale_gradient: Multiply the gradient of what the sign was taken of by the step.
    """

    step: Tensor | None = None
    centre: Tensor | None = None
    scale_gradient: bool = True


class Binarizer(Scheduled):
    """Base of all binarizers: y = centre + step sign(prepare(x)), or without a sign the real function y = prepare(x).

    Most hold no persistent state, so that a checkpoint goes into any precision.

    Args:
        gradient: Pseudo-gradient of the sign, the name or config of one of GRADIENTS; None: there is no sign.

    Attributes:
        fits: The places of a :class:`~binssl.binary.conv.BinaryConv2d` that it may take.

    Raises:
        ConfigError: There is no such pseudo-gradient.
    """

    fits: tuple[str, ...] = ('activation', 'weight')
    gradient: PseudoGradient | None

    def __init__(self, gradient: Gradient | None = None) -> None:
        super().__init__()
        self.gradient = None if gradient is None else build_gradient(gradient)

    @property
    def bits(self) -> int:
        """Of each number that comes out: 1 for one of two levels, 32 for a real number."""
        return 32 if self.gradient is None else 1

    def prepare(self, x: Tensor) -> Tensor:
        """What the sign is taken of, differentiable; the same shape and dtype as ``x``."""
        return x

    def levels(self, x: Tensor) -> Levels:
        """The two values that stand for ``x``; gradients flow through step and centre where they have them."""
        return Levels()

    def forward(self, x: Tensor) -> Tensor:
        """Binary values of ``x``, the same shape and dtype."""
        prepared = self.prepare(x)
        if self.gradient is None:
            return prepared
        y = straight_through_sign(prepared, self.gradient)
        step, centre, scale_gradient = self.levels(x)
        if step is not None:
            y = y * step if scale_gradient else y.detach() * step + (y - y.detach())
        return y if centre is None else y + centre


@BINARIZERS.register_module()
class Sign(Binarizer):
    """Sign with any pseudo-gradient; keeps for the backward what that says.

    forward:  y = +1 if x >= 0 else -1
    backward: dy/dx = g(x)

    Shape: any -> same. Dtype is kept.

    Args:
        gradient: g, the name or config of one of GRADIENTS.
    """

    def __init__(self, gradient: Gradient) -> None:
        super().__init__(gradient)


@BINARIZERS.register_module()
class BoxSign(Binarizer):
    """Sign with a clipped straight-through gradient (BinaryNet, arXiv:1602.02830); BURN's activations.

    forward:  y = +1 if x >= 0 else -1
    backward: dy/dx = 1 inside [-1, 1], both ends included, 0 outside

    Keeps one signed byte an element for the backward. Shape: any -> same. Dtype is kept.
    """

    def __init__(self) -> None:
        super().__init__('clip')


@BINARIZERS.register_module()
class ApproxSign(Binarizer):
    """Sign with a triangular pseudo-gradient (Bi-Real Net, arXiv:1808.00278); the activations of ReActNet
    and S2-BNN. It is the derivative of the piecewise polynomial 2x + x^2 (x < 0), 2x - x^2 (x >= 0).

    forward:  y = +1 if x >= 0 else -1
    backward: dy/dx = 2 - 2|x| inside [-1, 1], 0 outside

    Keeps its input for the backward. Shape: any -> same. Dtype is kept.
    """

    def __init__(self) -> None:
        super().__init__('triangle')


@BINARIZERS.register_module()
class IdentitySign(Binarizer):
    """Sign with the identity as its gradient: the straight-through estimator without a clip.

    forward:  y = +1 if x >= 0 else -1
    backward: dy/dx = 1

    Keeps one signed byte an element for the backward. Shape: any -> same. Dtype is kept.
    """

    def __init__(self) -> None:
        super().__init__('identity')


@BINARIZERS.register_module()
class ScaledSign(Binarizer):
    """Binary weights with one real scale for each output filter (XNOR-Net, arXiv:1603.05279).

    forward:  y = s sign(w), s = mean|w| over the filter
    backward: dy/dw = g(w), times s where ``scale_gradient``; g = [|w| <= 1] for 'clip', 1 for 'identity'. Nothing
              flows through s: it is a statistic, not a parameter.

    The published ones: ReActNet, S2-BNN and Bi-Real's PyTorch code are ``ste='clip'``; Bi-Real's paper
    (magnitude-aware) is ``ste='clip', scale_gradient=True``; BURN's release is ``ste='identity',
    scale_gradient=True``.

    Shape: (O, I, ...) -> same. Dtype is kept.

    Args:
        ste: g, the name or config of one of GRADIENTS.
        scale_gradient: Multiply the gradient by s.
    """

    fits = ('weight',)

    def __init__(self, ste: Gradient = 'clip', scale_gradient: bool = False) -> None:
        super().__init__(ste)
        self.scale_gradient = bool(scale_gradient)

    def levels(self, x: Tensor) -> Levels:
        return Levels(filter_scale(x.detach()), scale_gradient=self.scale_gradient)

    def extra_repr(self) -> str:
        return f'scale_gradient={self.scale_gradient}'


@BINARIZERS.register_module()
class BalancedSign(Binarizer):
    """IR-Net's weights (arXiv:1909.10788): standardised for each filter, so that both bits are as frequent.

    forward:  w1 = (w - mean) / std for each filter (unbiased); y = 2^s sign(w1), s = round(log2(mean|w1|)): a shift
    backward: dy/dw1 = 2^s g(w1), then that of mean and deviation; nothing flows through s

    Where all weights of a filter are equal, y = 0 (our addition: the equations divide 0 by 0). Keeps the standardised
    weights for the backward. Shape: (O, I, ...), at least two elements a filter -> same. Dtype is kept.

    Args:
        gradient: g; published: the tanh, whose ``sharpness`` is scheduled.
    """

    fits = ('weight',)

    def __init__(self, gradient: Gradient = 'tanh') -> None:
        super().__init__(gradient)

    def prepare(self, x: Tensor) -> Tensor:
        if x[0].numel() < 2:
            raise ValueError(f'there is no deviation in a filter of one weight; these are of {tuple(x.shape)}')
        dims = tuple(range(1, x.dim()))
        deviation, mean = torch.std_mean(x, dims, keepdim=True)
        return (x - mean) / deviation.clamp(min=torch.finfo(x.dtype).tiny)

    def levels(self, x: Tensor) -> Levels:
        return Levels(filter_scale(self.prepare(x.detach())).log2().round().exp2())


def filter_scale(weight: Tensor) -> Tensor:
    """mean|w| of each output filter (XNOR-Net, arXiv:1603.05279): (O, I, ...) -> (O, 1, ...)."""
    return weight.abs().mean(dim=tuple(range(1, weight.dim())), keepdim=True)
