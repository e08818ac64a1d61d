"""Binarizers: modules that turn real numbers into two values, registered and built from config.

A binarizer is a preparation, differentiable and often nothing at all, and a sign whose maths ``rule`` states.
:class:`~binssl.binary.conv.BinaryConv2d` calls the one and does the other in its lean autograd function. The
signs here have no preparation: ``BoxSign``, ``ApproxSign`` and ``IdentitySign`` fit activations and weights,
``ScaledSign`` weights. :mod:`binssl.binary.recu` and :mod:`binssl.binary.stand_ins` have the others.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from binssl.binary.sign import scaled_sign, straight_through_sign
from binssl.registry import BINARIZERS, ConfigError


class SignRule(NamedTuple):
    """A sign in three constants: y = sign(x), times mean|x| per filter where ``scaled``.

    Args:
        gradient: Pseudo-gradient of the sign, one of :data:`binssl.binary.sign.GRADIENTS`.
        scaled: Multiply by the mean magnitude of the output filter.
        scale_gradient: Multiply the gradient by that mean as well.
    """

    gradient: str
    scaled: bool = False
    scale_gradient: bool = False


class Binarizer(nn.Module):
    """Base of all binarizers: y = sign(prepare(x)), or of stand-ins for a sign the real function y = prepare(x).

    It holds no persistent state: a checkpoint goes into any precision.

    Attributes:
        rule: The sign as a :class:`SignRule`; None: there is none.
        fits: The places of a :class:`~binssl.binary.conv.BinaryConv2d` that it may take.
    """

    rule: SignRule | None = None
    fits: tuple[str, ...] = ('activation', 'weight')

    def prepare(self, x: Tensor) -> Tensor:
        """What the sign is taken of, differentiable; the same shape and dtype as ``x``."""
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Binary values of ``x``, the same shape and dtype."""
        x = self.prepare(x)
        if self.rule is None:
            return x
        if self.rule.scaled:
            return scaled_sign(x, self.rule.gradient, self.rule.scale_gradient)
        return straight_through_sign(x, self.rule.gradient)


@BINARIZERS.register_module()
class BoxSign(Binarizer):
    """Sign with a clipped straight-through gradient (BinaryNet, arXiv:1602.02830); BURN's activations.

    forward:  y = +1 if x >= 0 else -1
    backward: dy/dx = 1 inside [-1, 1], both ends included, 0 outside

    Keeps one signed byte an element for the backward. Shape: any -> same. Dtype is kept.
    """

    rule = SignRule('clip')


@BINARIZERS.register_module()
class ApproxSign(Binarizer):
    """Sign with a triangular pseudo-gradient (Bi-Real Net, arXiv:1808.00278); the activations of ReActNet
    and S2-BNN. It is the derivative of the piecewise polynomial 2x + x^2 (x < 0), 2x - x^2 (x >= 0).

    forward:  y = +1 if x >= 0 else -1
    backward: dy/dx = 2 - 2|x| inside [-1, 1], 0 outside

    Keeps its input for the backward. Shape: any -> same. Dtype is kept.
    """

    rule = SignRule('triangle')


@BINARIZERS.register_module()
class IdentitySign(Binarizer):
    """Sign with the identity as its gradient: the straight-through estimator without a clip.

    forward:  y = +1 if x >= 0 else -1
    backward: dy/dx = 1

    Keeps one signed byte an element for the backward. Shape: any -> same. Dtype is kept.
    """

    rule = SignRule('identity')


@BINARIZERS.register_module()
class ScaledSign(Binarizer):
    """Binary weights with one real scale for each output filter (XNOR-Net, arXiv:1603.05279).

    forward:  y = s sign(w), s = mean|w| over the filter
    backward: dy/dw = window(w), times s where ``scale_gradient``; window = [|w| <= 1] for 'clip', 1 for
              'identity'. Nothing flows through s: it is a statistic, not a parameter.

    The published ones: ReActNet, S2-BNN and Bi-Real's PyTorch code are ``ste='clip'``; Bi-Real's paper
    (magnitude-aware) is ``ste='clip', scale_gradient=True``; BURN's release is ``ste='identity',
    scale_gradient=True``.

    Shape: (O, I, ...) -> same. Dtype is kept.

    Args:
        ste: Window of the straight-through gradient, 'clip' or 'identity'.
        scale_gradient: Multiply the gradient by s.

    Raises:
        ConfigError: ``ste`` is neither.
    """

    rule: SignRule
    fits = ('weight',)

    def __init__(self, ste: str = 'clip', scale_gradient: bool = False) -> None:
        super().__init__()
        if ste not in ('clip', 'identity'):
            raise ConfigError(f"ScaledSign's ste is {ste!r}; it must be 'clip' or 'identity'")
        self.rule = SignRule(ste, scaled=True, scale_gradient=bool(scale_gradient))

    def extra_repr(self) -> str:
        return f'ste={self.rule.gradient!r}, scale_gradient={self.rule.scale_gradient}'
