"""The convolution of every network here: real, with binary inputs, or wholly binary, by config.

One autograd function does sign, scale and convolution. It keeps the input of the convolution once (see
:func:`binssl.binary.sign.keep`) and the weight parameter itself; signs and binary weights are computed again
in the backward.
"""

from __future__ import annotations

from typing import Any

import torch
from mmengine.config import ConfigDict
from torch import Tensor, nn
from torch.nn.functional import pad

from binssl.binary.binarizers import SignRule
from binssl.binary.sign import binary_sign, filter_scale, keep, kept_sign, pull_back
from binssl.registry import BINARIZERS, CONVS, ConfigError

REAL: dict[str, Any] = {'type': 'Conv2d'}
BINARY_INPUT: dict[str, Any] = {'type': 'BinaryConv2d', 'activation': {'type': 'ApproxSign'}}
BINARY: dict[str, Any] = {**BINARY_INPUT, 'weight': {'type': 'ScaledSign', 'ste': 'clip'}}

CONVS.register_module(name='Conv2d', module=nn.Conv2d)

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
        ctx.save_for_backward(kept, weight, scale)
        ctx.x_dtype, ctx.dtype = x.dtype, dtype
        ctx.bias_dtype = None if bias is None else bias.dtype
        ctx.activation, ctx.weight_rule = activation, weight_rule
        ctx.stride, ctx.padding, ctx.pad_value = stride, padding, pad_value
        weight = _binary_weight(weight, weight_rule, scale)
        return _convolve(signs, weight, bias, stride, padding, pad_value, dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        kept, weight, scale = ctx.saved_tensors
        signs = kept_sign(kept, ctx.dtype) if ctx.activation is not None else kept.to(ctx.dtype)
        grad_x, grad_weight, grad_bias = torch.ops.aten.convolution_backward(
            grad,
            _padded(signs, ctx.padding, ctx.pad_value),
            _binary_weight(weight, ctx.weight_rule, scale).to(ctx.dtype),
            None if ctx.bias_dtype is None else [weight.shape[0]],
            ctx.stride,
            (0, 0) if ctx.pad_value else ctx.padding,
            (1, 1),
            False,
            (0, 0),
            1,
            list(ctx.needs_input_grad[:3]),
        )
        if ctx.needs_input_grad[0]:
            grad_x = _cropped(grad_x, ctx.padding, ctx.pad_value).to(ctx.x_dtype)
            if ctx.activation is not None:
                grad_x = pull_back(grad_x, kept, ctx.activation.gradient)
        if ctx.needs_input_grad[1]:
            grad_weight = grad_weight.to(weight.dtype)
            if ctx.weight_rule is not None:
                if ctx.weight_rule.scale_gradient:
                    grad_weight = grad_weight.mul_(scale)
                grad_weight = pull_back(grad_weight, weight, ctx.weight_rule.gradient)
        if ctx.needs_input_grad[2]:
            grad_bias = grad_bias.to(ctx.bias_dtype)
        return grad_x, grad_weight, grad_bias, None, None, None, None, None, None


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
    activation: SignRule | None = None,
    weight_rule: SignRule | None = None,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    pad_value: float = 0.0,
) -> Tensor:
    """conv2d(sign(x), s sign(w)) + b with pseudo-gradients, keeping as little as possible for the backward.

    Under autocast the convolution runs in the autocast dtype; gradients have the dtypes of x, w and b.

    Args:
        x: (N, C, H, W).
        weight: (O, C, k, k).
        bias: (O,) or None.
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
        weight = _binary_weight(weight, weight_rule, _scale(weight, weight_rule))
        return _convolve(signs, weight, bias, stride, padding, pad_value, dtype)
    return _BinaryConv.apply(x, weight, bias, activation, weight_rule, stride, padding, pad_value, dtype)


def _compute_dtype(x: Tensor) -> torch.dtype:
    kind = x.device.type
    if kind not in AUTOCAST_DEVICES or not torch.is_autocast_enabled(kind):
        return x.dtype
    # as for torch's own convolutions: autocast leaves double alone
    return x.dtype if x.dtype == torch.float64 else torch.get_autocast_dtype(kind)


@CONVS.register_module()
class BinaryConv2d(nn.Conv2d):
    """A convolution whose input, weights or both are binary; an ``nn.Conv2d`` by its state dict.

    forward:  y = conv2d(a(x), b(w)) + bias, where a is ``activation`` and b is ``weight`` (None: as it is)
    backward: the convolution's, then the pseudo-gradients of a and b (see the binarizers)

    The border is laid after the sign, as in all published code, where it is 0 and so a third value;
    ``pad_value=1`` or ``-1`` keeps the input truly binary. Kept for the backward: the input once (one signed
    byte an element for ``BoxSign`` and ``IdentitySign``) and the parameter itself.

    Shape: (N, C, H, W) -> (N, O, H', W').

    Args:
        in_channels: C.
        out_channels: O.
        kernel_size: k, or (rows, columns).
        stride: As in ``nn.Conv2d``.
        padding: As in ``nn.Conv2d``, in numbers.
        bias: Learn an offset for each output channel.
        activation: Config of the input's binarizer (BINARIZERS); None: real inputs.
        weight: Config of the weights' binarizer; None: real weights.
        pad_value: Value of the border: 0, 1 or -1.

    Raises:
        ConfigError: A part is unknown, belongs elsewhere, or the border is neither of the three values.
    """

    activation: nn.Module | None
    weight_binarizer: nn.Module | None
    stride: tuple[int, int]
    padding: tuple[int, int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        bias: bool = False,
        activation: dict | ConfigDict | None = None,
        weight: dict | ConfigDict | None = None,
        pad_value: float = 0,
    ) -> None:
        if isinstance(padding, str):
            raise ConfigError(f'padding {padding!r} of a BinaryConv2d must be given in numbers')
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, bias=bias)
        if pad_value not in (-1, 0, 1):
            raise ConfigError(f'pad_value is {pad_value!r}; the border of a binary map is 0, 1 or -1')
        if pad_value and activation is None:
            raise ConfigError(f'pad_value {pad_value!r} needs binary inputs: give an activation, or take 0')
        self.pad_value = float(pad_value)
        self.activation = None if activation is None else BINARIZERS.build(activation)
        self.weight_binarizer = None if weight is None else BINARIZERS.build(weight)
        rule = getattr(self.activation, 'rule', None)
        if rule is not None and rule.scaled:
            raise ConfigError(
                f'{type(self.activation).__name__} scales filters, so it is for weights; '
                'for activations take ApproxSign or BoxSign'
            )

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, H, W); the module's docstring has the maths."""
        weight = self.weight
        activation_rule = getattr(self.activation, 'rule', None)
        weight_rule = getattr(self.weight_binarizer, 'rule', None)
        if self.activation is not None and activation_rule is None:
            x = self.activation(x)
        if self.weight_binarizer is not None and weight_rule is None:
            weight = self.weight_binarizer(weight)
        return binary_conv2d(
            x, weight, self.bias, activation_rule, weight_rule, self.stride, self.padding, self.pad_value
        )  # fmt: skip

    def extra_repr(self) -> str:
        return super().extra_repr() + (f', pad_value={self.pad_value:g}' if self.pad_value else '')


def build_conv(
    cfg: dict | ConfigDict,
    in_channels: int,
    out_channels: int,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    bias: bool = False,
) -> nn.Conv2d:
    """A convolution of the precision that ``cfg`` names (:data:`REAL`, :data:`BINARY_INPUT`, :data:`BINARY`).

    Args:
        cfg: Config for CONVS: the type and, for ``BinaryConv2d``, its binarizers.
        in_channels: Width of the input.
        out_channels: Width of the output.
        kernel_size: As in ``nn.Conv2d``.
        stride: As in ``nn.Conv2d``.
        padding: As in ``nn.Conv2d``.
        bias: As in ``nn.Conv2d``, but off by default: a BatchNorm follows.

    Raises:
        ConfigError: ``cfg`` is no convolution's config.
    """
    shape = {
        'in_channels': in_channels,
        'out_channels': out_channels,
        'kernel_size': kernel_size,
        'stride': stride,
        'padding': padding,
        'bias': bias,
    }
    if not isinstance(cfg, dict):
        raise ConfigError(f'conv_cfg is {cfg!r}; give a dict such as {REAL} or {BINARY}')
    if given := sorted(set(cfg) & set(shape)):
        raise ConfigError(f'conv_cfg sets {given}, which the network gives itself: remove them')
    return CONVS.build({**shape, **cfg})
