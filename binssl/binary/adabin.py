"""AdaBin (arXiv:2208.08084): binary values that follow the weights, and are learned for the activations.

The two values are beta - alpha and beta + alpha, so that a layer's convolution is still one of bits, with one sum of
bits and one multiply-add for each output beside it (see :mod:`binssl.evaluation.cost`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from binssl.binary.binarizers import Binarizer, Gradient, Levels
from binssl.registry import BINARIZERS


@BINARIZERS.register_module()
class AdaptiveWeightSign(Binarizer):
    """AdaBin's weights: centre and distance of the two values are mean and deviation of their filter.

    forward:  y = alpha sign(w1) + beta, w1 = (w - beta) / alpha;
              beta = mean(w), alpha = ||w - beta||_2 / sqrt(n) over the n weights of the filter
    backward: dy/dw1 = alpha g(w1), and autograd's through alpha and beta, wherever they stand

    g is as released: a tanh at the fixed sharpness of 0.1, nearly the identity. That gradients flow through alpha and
    beta is read in the released code. Where all weights of a filter are equal, alpha is the smallest normal number (our
    addition; the equations divide 0 by 0). Keeps the prepared weights and their statistics for the backward.

    Shape: (O, I, ...) -> same. Dtype is kept.

    Args:
        gradient: g, the name or config of one of GRADIENTS; None: as released.
    """

    fits = ('weight',)

    def __init__(self, gradient: Gradient | None = None) -> None:
        super().__init__({'type': 'TanhGradient', 'sharpness': 0.1} if gradient is None else gradient)

    def prepare(self, x: Tensor) -> Tensor:
        alpha, beta = _deviation_and_mean(x)
        return (x - beta) / alpha

    def levels(self, x: Tensor) -> Levels:
        return Levels(*_deviation_and_mean(x))


@BINARIZERS.register_module()
class AdaptiveActivationSign(Binarizer):
    """AdaBin's activations: centre and distance of the two values are learned, one of each a layer.

    forward:  y = alpha sign(x1) + beta, x1 = (x - beta) / alpha
    backward: dy/dx = g(x1), dy/dalpha = sign(x1) - x1 g(x1), dy/dbeta = 1 - g(x1)

    The gradients are autograd's of the forward, which is our reading of the paper; the released code has
    alpha (sign(x1) + beta) there. g is as released, the triangle. ``alpha`` begins at 1 and ``beta`` at 0: there it is
    ApproxSign, with gradients for both. A border of zeros is a third value, as in the release. Keeps two maps.

    Shape: any -> same. Dtype is kept.

    Args:
        gradient: g, the name or config of one of GRADIENTS.
    """

    fits = ('activation',)

    def __init__(self, gradient: Gradient = 'triangle') -> None:
        super().__init__(gradient)
        self.alpha = nn.Parameter(torch.ones(()))
        self.beta = nn.Parameter(torch.zeros(()))

    def prepare(self, x: Tensor) -> Tensor:
        return (x - self.beta.to(x.dtype)) / self.alpha.to(x.dtype)

    def levels(self, x: Tensor) -> Levels:
        return Levels(self.alpha, self.beta)


def _deviation_and_mean(weight: Tensor) -> tuple[Tensor, Tensor]:
    dims = tuple(range(1, weight.dim()))
    mean = weight.mean(dims, keepdim=True)
    deviation = torch.linalg.vector_norm(weight - mean, dim=dims, keepdim=True) / weight[0].numel() ** 0.5
    return deviation.clamp(min=torch.finfo(weight.dtype).tiny), mean
