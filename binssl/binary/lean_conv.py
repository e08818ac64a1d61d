"""The binary convolution as a function: signs, levels and convolution in one, with pseudo-gradients.

It keeps the input of the convolution once (see :meth:`binssl.binary.gradients.PseudoGradient.keep`) and the weights as
they were given, which is the parameter itself unless a binarizer prepared them; signs and binary values are computed
again in the backward. A learned scale multiplies the output in place: of signs and signs every number is an integer
times it, rounded once. No second map is kept for it, as its gradient is that of the filters times the filters.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from binssl.binary.binarizers import Binarizer, Levels
from binssl.binary.gradients import PseudoGradient, binary_sign, kept_sign

#: asked once: torch 2.6 cannot trace the question
AUTOCAST_DEVICES = frozenset(kind for kind in ('cpu', 'cuda', 'mps', 'xpu') if torch.amp.is_autocast_available(kind))


class _Settings(NamedTuple):
    """All of a binary convolution but its tensors."""

    x_gradient: PseudoGradient | None
    weight_gradient: PseudoGradient | None
    scale_x_gradient: bool
    scale_weight_gradient: bool
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    pad_value: float
    dtype: torch.dtype


class _BinaryConv(torch.autograd.Function):
    """Signs, levels and convolution in one; :func:`binary_conv2d` documents the arguments."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        gain: Tensor | None,
        x_step: Tensor | None,
        x_centre: Tensor | None,
        step: Tensor | None,
        centre: Tensor | None,
        how: _Settings,
    ) -> Tensor:
        signs = x if how.x_gradient is None else binary_sign(x)
        kept = x if how.x_gradient is None else how.x_gradient.keep(x, signs)
        ctx.save_for_backward(kept, weight, gain, x_step, x_centre, step, centre)
        ctx.how, ctx.x_dtype, ctx.bias_dtype = how, x.dtype, None if bias is None else bias.dtype
        values = _place(_padded(signs, how), x_step, x_centre)
        return _convolve(values, _binary_weight(weight, how, step, centre), bias, gain, how)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        kept, weight, gain, x_step, x_centre, step, centre = ctx.saved_tensors
        how: _Settings = ctx.how
        binary = _binary_weight(weight, how, step, centre)
        wants_x, wants_weight, wants_bias, wants_gain, *wants_levels = ctx.needs_input_grad[:8]
        grad_x, grad_weight, grad_bias = torch.ops.aten.convolution_backward(
            grad,
            _place(_signs(kept, how), x_step, x_centre),
            _with_gain(binary, gain).to(how.dtype),  # for x as good as a gradient map times the gain
            None if ctx.bias_dtype is None else [weight.shape[0]],
            how.stride,
            (0, 0) if how.pad_value else how.padding,
            (1, 1),
            False,
            (0, 0),
            1,
            [wants_x or any(wants_levels[:2]), wants_weight or wants_gain or any(wants_levels[2:]), wants_bias],
        )
        grad_levels: list[Tensor | None] = [None] * 4
        if wants_levels[0]:
            grad_levels[0] = _sum_like(grad_x * _signs(kept, how), x_step)
        if wants_levels[1]:
            grad_levels[1] = _sum_like(grad_x, x_centre)
        if wants_x:
            grad_x = _cropped(grad_x, how).to(ctx.x_dtype)
            if how.x_gradient is not None:
                grad_x = grad_x * x_step if how.scale_x_gradient and x_step is not None else grad_x
                grad_x = how.x_gradient.pull_back(grad_x, kept)
        grad_gain = None
        if wants_gain:
            grad_gain = (grad_weight.to(gain.dtype) * binary).sum((1, 2, 3)).view_as(gain)
        if wants_weight or any(wants_levels[2:]):
            grad_weight = _with_gain(grad_weight.to(weight.dtype), gain)
        if wants_levels[2]:
            grad_levels[2] = _sum_like(grad_weight * binary_sign(weight), step)
        if wants_levels[3]:
            grad_levels[3] = _sum_like(grad_weight, centre)
        if wants_weight and how.weight_gradient is not None:
            if how.scale_weight_gradient and step is not None:
                grad_weight = grad_weight.mul_(step)
            grad_weight = how.weight_gradient.pull_back(grad_weight, weight)
        return (
            grad_x if wants_x else None,
            grad_weight if wants_weight else None,
            grad_bias.to(ctx.bias_dtype) if wants_bias else None,
            grad_gain,
            *grad_levels,
            None,
        )


def _place(signs: Tensor, step: Tensor | None, centre: Tensor | None) -> Tensor:
    """centre + step * signs; the signs are overwritten."""
    signs = signs if step is None else signs.mul_(step.to(signs.dtype))
    return signs if centre is None else signs.add_(centre.to(signs.dtype))


def _sum_like(grad: Tensor, level: Tensor) -> Tensor:
    """The gradient of a level, which was broadcast: ``grad`` summed to its shape, in its dtype."""
    return grad.to(level.dtype).sum_to_size(level.shape)


def _convolve(values: Tensor, weight: Tensor, bias: Tensor | None, gain: Tensor | None, how: _Settings) -> Tensor:
    """conv2d(values, weight) times gain, plus bias; the gain is not rounded to half precision before it multiplies."""
    inner = None if bias is None or gain is not None else bias.to(how.dtype)
    y = torch.conv2d(values, weight.to(how.dtype), inner, how.stride, (0, 0) if how.pad_value else how.padding)
    if gain is None:
        return y
    return y.mul_(gain) if bias is None else y.mul_(gain).add_(bias.view(-1, 1, 1))


def _signs(kept: Tensor, how: _Settings) -> Tensor:
    """The bits of the input again, with their border, or the input itself where it is real."""
    return _padded(kept if how.x_gradient is None else kept_sign(kept, how.dtype), how)


def _binary_weight(weight: Tensor, how: _Settings, step: Tensor | None, centre: Tensor | None) -> Tensor:
    return weight if how.weight_gradient is None else _place(binary_sign(weight), step, centre)


def _with_gain(weight: Tensor, gain: Tensor | None) -> Tensor:
    """The filters (O, C, k, k) times their factor of the gain (O, 1, 1)."""
    return weight if gain is None else weight * gain.unsqueeze(1)


def _padded(signs: Tensor, how: _Settings) -> Tensor:
    """The map as it is computed with, and its border where that is not zero: zeros are the convolution's business."""
    signs, (rows, columns) = signs.to(how.dtype), how.padding
    return pad(signs, (columns, columns, rows, rows), value=how.pad_value) if how.pad_value else signs


def _cropped(grad: Tensor, how: _Settings) -> Tensor:
    """The gradient of :func:`_padded`: the border is a constant."""
    if not how.pad_value:
        return grad
    (rows, columns), (height, width) = how.padding, grad.shape[-2:]
    return grad[..., rows : height - rows, columns : width - columns]


def binary_conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    gain: Tensor | None = None,
    activation: Binarizer | None = None,
    weight_binarizer: Binarizer | None = None,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    pad_value: float = 0.0,
) -> Tensor:
    """g conv2d(a(x), b(w)) + bias with pseudo-gradients, keeping as little as possible for the backward.

    Under autocast the convolution runs in the autocast dtype; gradients have the dtypes of x, w, bias and g.

    Args:
        x: (N, C, H, W).
        weight: (O, C, k, k).
        bias: (O,) or None.
        gain: Factor g of each output channel, (O, 1, 1), or None: learned.
        activation: a, how x becomes binary; None leaves it real.
        weight_binarizer: b, how the weights become binary; None leaves them real.
        stride: By rows and columns.
        padding: Border by rows and columns; it follows the sign.
        pad_value: What the border holds: 0 (all published code), or the bit +1 or -1.

    Returns:
        (N, O, H', W') as of :func:`torch.conv2d`.
    """
    if x.dim() != 4:
        raise ValueError(f'a binary convolution takes a batch (N, C, H, W), not a tensor of {tuple(x.shape)}')
    dtype = _compute_dtype(x)
    x, x_gradient, x_levels = _taken_apart(activation, x)
    weight, gradient, levels = _taken_apart(weight_binarizer, weight)
    scaled = x_levels.scale_gradient, levels.scale_gradient
    how = _Settings(x_gradient, gradient, *scaled, stride, padding, pad_value, dtype)
    if torch.is_grad_enabled():
        return _BinaryConv.apply(x, weight, bias, gain, *x_levels[:2], *levels[:2], how)
    # nothing is to be kept
    values = _place(_padded(x if x_gradient is None else binary_sign(x), how), *x_levels[:2])
    return _convolve(values, _binary_weight(weight, how, *levels[:2]), bias, gain, how)


def _taken_apart(binarizer: Binarizer | None, x: Tensor) -> tuple[Tensor, PseudoGradient | None, Levels]:
    """What the convolution takes in the place of ``x``, and the sign and levels that it still has to take of it."""
    if binarizer is None or binarizer.gradient is None:
        return x if binarizer is None else binarizer.prepare(x), None, Levels()
    return binarizer.prepare(x), binarizer.gradient, binarizer.levels(x)


def _compute_dtype(x: Tensor) -> torch.dtype:
    kind = x.device.type
    if kind not in AUTOCAST_DEVICES or not torch.is_autocast_enabled(kind):
        return x.dtype
    # as for torch's own convolutions: autocast leaves double alone
    return x.dtype if x.dtype == torch.float64 else torch.get_autocast_dtype(kind)
