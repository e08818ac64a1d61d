"""The convolution of every network here: real, with binary inputs, or wholly binary, by config."""

from __future__ import annotations

from typing import Any

from mmengine.config import ConfigDict
from torch import Tensor, nn

from binssl.binary.binarizers import Binarizer
from binssl.binary.lean_conv import binary_conv2d
from binssl.binary.recu import ChannelScale
from binssl.registry import BINARIZERS, CONVS, ConfigError

REAL: dict[str, Any] = {'type': 'Conv2d'}
BINARY_INPUT: dict[str, Any] = {'type': 'BinaryConv2d', 'activation': {'type': 'ApproxSign'}}
BINARY: dict[str, Any] = {**BINARY_INPUT, 'weight': {'type': 'ScaledSign', 'ste': 'clip'}}

CONVS.register_module(name='Conv2d', module=nn.Conv2d)


@CONVS.register_module()
class BinaryConv2d(nn.Conv2d):
    """A convolution whose input, weights or both are binary; an ``nn.Conv2d`` by its state dict.

    forward:  y = g (conv2d(a(x), b(w)) + bias), where a is ``activation``, b is ``weight`` (None: as it is) and g is
              ``scale`` (None: 1)
    backward: the convolution's, then the pseudo-gradients of a and b (see the binarizers)

    The border is laid after the sign, as in all published code, where it is 0 and so a third value; ``pad_value=1`` or
    ``-1`` is a bit and keeps the input truly binary. Kept for the backward: the input once, as it was prepared (one
    signed byte an element for ``BoxSign`` and ``IdentitySign``), the parameter itself, and what binarizers keep to
    prepare either. The scale keeps no map: it multiplies the sums in place, so that of signs and signs every output is
    an integer times g, rounded once, in training and in evaluation.

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
        scale: Config of the learned output scale, ``dict(type='ChannelScale')``; None: none.

    Raises:
        ConfigError: A part is unknown, belongs elsewhere, or the border is neither of the three values.
    """

    activation: Binarizer | None
    weight_binarizer: Binarizer | None
    scale: ChannelScale | None
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
        scale: dict | ConfigDict | None = None,
    ) -> None:
        if isinstance(padding, str):
            raise ConfigError(f'padding {padding!r} of a BinaryConv2d must be given in numbers')
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, bias=bias)
        if pad_value not in (-1, 0, 1):
            raise ConfigError(f'pad_value is {pad_value!r}; the border of a binary map is 0, 1 or -1')
        self.pad_value = float(pad_value)
        self.activation = _build_part('activation', activation)
        self.weight_binarizer = _build_part('weight', weight)
        self.scale = _build_part('scale', scale, channels=out_channels)
        if pad_value and self.input_bits > 1:
            raise ConfigError(f'pad_value {pad_value!r} needs binary inputs: give an activation, or take 0')

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, H, W); the class's docstring has the maths."""
        bias, gain = self.bias, None
        if self.scale is not None:
            gain = self.scale.alpha
            bias = None if bias is None else bias * gain.flatten()
        parts = self.activation, self.weight_binarizer
        return binary_conv2d(x, self.weight, bias, gain, *parts, self.stride, self.padding, self.pad_value)

    @property
    def input_bits(self) -> int:
        """Of each number that is convolved: 1 where it is one of two levels, else 32."""
        return 32 if self.activation is None else self.activation.bits

    @property
    def weight_bits(self) -> int:
        """Of each weight that it is convolved with, likewise."""
        return 32 if self.weight_binarizer is None else self.weight_binarizer.bits

    def extra_repr(self) -> str:
        return super().extra_repr() + (f', pad_value={self.pad_value:g}' if self.pad_value else '')


def _build_part(place: str, cfg: dict | ConfigDict | None, **shape: int) -> Any:
    """The part of ``cfg``, None where there is none; ``shape`` is what the convolution tells it.

    Raises:
        ConfigError: it is unknown, not for ``place``, or told ``shape`` twice.
    """
    if cfg is None:
        return None
    kind = cfg.get('type') if isinstance(cfg, dict) else None
    kind = BINARIZERS.get(kind) if isinstance(kind, str) else kind
    fits = getattr(kind, 'fits', ())
    if kind is not None and place not in fits:
        known = sorted(name for name, part in BINARIZERS.module_dict.items() if place in getattr(part, 'fits', ()))
        raise ConfigError(
            f'{kind.__name__} is for {" and ".join(fits) or "no place"} of a BinaryConv2d, not for its {place}; '
            f'there take {" or ".join(known)}'
        )
    BINARIZERS.check(cfg, shape)
    if given := sorted(set(cfg) & set(shape)):
        raise ConfigError(f'{place} sets {given}, which the convolution gives itself: remove them')
    return BINARIZERS.build(cfg, default_args=shape)


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
    shape = dict(in_channels=in_channels, out_channels=out_channels, kernel_size=kernel_size)
    shape |= dict(stride=stride, padding=padding, bias=bias)
    if not isinstance(cfg, dict):
        raise ConfigError(f'conv_cfg is {cfg!r}; give a dict such as {REAL} or {BINARY}')
    if given := sorted(set(cfg) & set(shape)):
        raise ConfigError(f'conv_cfg sets {given}, which the network gives itself: remove them')
    return CONVS.build({**shape, **cfg})
