"""The binary convolution as a function: sign, scale and convolution in one, with pseudo-gradients.

It keeps the input of the convolution once (see :func:`binssl.binary.sign.keep`) and the weights as they were given,
which is the parameter itself unless a binarizer prepared them; signs and binary weights are computed again in the
backward. The learned output scale is multiplied into the weights, so that no second map of the output is kept for it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from binssl.binary.binarizers import SignRule
from binssl.binary.sign import binary_sign, filter_scale, keep, kept_sign, pull_back

#: asked once: torch 2.6 cannot trace the question
AUTOCAST_DEVICES = frozenset(kind for kind in ('cpu', 'cuda', 'mps', 'xpu') if torch.amp.is_autocast_available(kind))


class _BinaryConv(torch.autograd.Function):
    """Sign, scale and convolution in one; :func:`binary_conv2d` documents the arguments."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        gain: Tensor | None,
        activation: SignRule | None,
        weight_rule: SignRule | None,
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        pad_value: float,
        dtype: torch.dtype,
    ) -> Tensor:
        scale = _scale(weight, weight_rule)
        signs = binary_sign(x) if activation is not None else x
        kept = keep(x, signs, activation.gradient) if activation is not None else x
        ctx.save_for_backward(kept, weight, scale, gain)
        ctx.x_dtype, ctx.dtype = x.dtype, dtype
        ctx.bias_dtype = None if bias is None else bias.dtype
        ctx.activation, ctx.weight_rule = activation, weight_rule
        ctx.stride, ctx.padding, ctx.pad_value = stride, padding, pad_value
        weight = _with_gain(_binary_weight(weight, weight_rule, scale), gain)
        return _convolve(signs, weight, bias, stride, padding, pad_value, dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        kept, weight, scale, gain = ctx.saved_tensors
        signs = kept_sign(kept, ctx.dtype) if ctx.activation is not None else kept.to(ctx.dtype)
        binary = _binary_weight(weight, ctx.weight_rule, scale)
        wants_x, wants_weight, wants_bias, wants_gain = ctx.needs_input_grad[:4]
        grad_x, grad_weight, grad_bias = torch.ops.aten.convolution_backward(
            grad,
            _padded(signs, ctx.padding, ctx.pad_value),
            _with_gain(binary, gain).to(ctx.dtype),
            None if ctx.bias_dtype is None else [weight.shape[0]],
            ctx.stride,
            (0, 0) if ctx.pad_value else ctx.padding,
            (1, 1),
            False,
            (0, 0),
            1,
            [wants_x, wants_weight or wants_gain, wants_bias],
        )
        if wants_x:
            grad_x = _cropped(grad_x, ctx.padding, ctx.pad_value).to(ctx.x_dtype)
            if ctx.activation is not None:
                grad_x = pull_back(grad_x, kept, ctx.activation.gradient)
        grad_weight, grad_gain = _pull_back_weight(ctx, grad_weight, weight, binary, scale, gain)
        if wants_bias:
            grad_bias = grad_bias.to(ctx.bias_dtype)
        return grad_x, grad_weight, grad_bias, grad_gain, None, None, None, None, None, None


def _pull_back_weight(
    ctx: Any, grad: Tensor | None, weight: Tensor, binary: Tensor, scale: Tensor | None, gain: Tensor | None
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of the given weights and of the gain, from that of gain * binary weights."""
    _, wants_weight, _, wants_gain = ctx.needs_input_grad[:4]
    grad_gain = None
    if wants_gain:
        assert grad is not None
        assert gain is not None
        grad_gain = (grad.to(gain.dtype) * binary).sum((1, 2, 3)).view_as(gain)
    if not wants_weight:
        return None, grad_gain
    assert grad is not None
    grad = _with_gain(grad.to(weight.dtype), gain)
    if ctx.weight_rule is not None:
        if ctx.weight_rule.scale_gradient and scale is not None:
            grad = grad.mul_(scale)
        grad = pull_back(grad, weight, ctx.weight_rule.gradient)
    return grad, grad_gain


def _convolve(
    signs: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    pad_value: float,
    dtype: torch.dtype,
) -> Tensor:
    signs = _padded(signs.to(dtype), padding, pad_value)
    bias = None if bias is None else bias.to(dtype)
    return torch.conv2d(signs, weight.to(dtype), bias, stride, (0, 0) if pad_value else padding)


def _scale(weight: Tensor, rule: SignRule | None) -> Tensor | None:
    return filter_scale(weight) if rule is not None and rule.scaled else None


def _binary_weight(weight: Tensor, rule: SignRule | None, scale: Tensor | None) -> Tensor:
    if rule is None:
        return weight
    signs = binary_sign(weight)
    return signs if scale is None else signs.mul_(scale)


def _with_gain(weight: Tensor, gain: Tensor | None) -> Tensor:
    """The filters (O, C, k, k) times their factor of the gain (O, 1, 1)."""
    return weight if gain is None else weight * gain.unsqueeze(1)


def _padded(signs: Tensor, padding: tuple[int, ...], value: float) -> Tensor:
    """The map with its border, where that is not zero (zeros are the convolution's own business)."""
    if not value:
        return signs
    return pad(signs, (padding[1], padding[1], padding[0], padding[0]), value=value)


def _cropped(grad: Tensor, padding: tuple[int, ...], value: float) -> Tensor:
    """The gradient of :func:`_padded`: the border is a constant."""
    if not value:
        return grad
    height, width = grad.shape[-2:]
    return grad[..., padding[0] : height - padding[0], padding[1] : width - padding[1]]


def binary_conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    gain: Tensor | None = None,
    activation: SignRule | None = None,
    weight_rule: SignRule | None = None,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    pad_value: float = 0.0,
) -> Tensor:
    """g conv2d(sign(x), s sign(w)) + b with pseudo-gradients, keeping as little as possible for the backward.

    Under autocast the convolution runs in the autocast dtype; gradients have the dtypes of x, w, b and g.

    Args:
        x: (N, C, H, W).
        weight: (O, C, k, k).
        bias: (O,) or None.
        gain: Factor g of each output channel, (O, 1, 1), or None: learned, unlike s.
        activation: How x becomes binary; None leaves it real.
        weight_rule: How the weights become binary; None leaves them real.
        stride: By rows and columns.
        padding: Border by rows and columns; it follows the sign.
        pad_value: What the border holds: 0 (all published code), +1 or -1.

    Returns:
        (N, O, H', W') as of :func:`torch.conv2d`.
    """
    if x.dim() != 4:
        raise ValueError(f'a binary convolution takes a batch (N, C, H, W), not a tensor of {tuple(x.shape)}')
    dtype = _compute_dtype(x)
    if not torch.is_grad_enabled():  # nothing is to be kept
        signs = binary_sign(x) if activation is not None else x
        weight = _with_gain(_binary_weight(weight, weight_rule, _scale(weight, weight_rule)), gain)
        return _convolve(signs, weight, bias, stride, padding, pad_value, dtype)
    return _BinaryConv.apply(x, weight, bias, gain, activation, weight_rule, stride, padding, pad_value, dtype)


def _compute_dtype(x: Tensor) -> torch.dtype:
    kind = x.device.type
    if kind not in AUTOCAST_DEVICES or not torch.is_autocast_enabled(kind):
        return x.dtype
    # as for torch's own convolutions: autocast leaves double alone
    return x.dtype if x.dtype == torch.float64 else torch.get_autocast_dtype(kind)
