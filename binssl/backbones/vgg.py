"""Backbones without a shortcut: VGG, as VGG-small of ReCU (arXiv:2103.12369), and raw pixels, the baseline of all."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mmengine.config import ConfigDict
from torch import Tensor, nn

from binssl.backbones.plan import check_signs, check_size, check_stages
from binssl.backbones.residual import ACTIVATIONS, ResNetStem
from binssl.binary import BINARY, build_conv
from binssl.core.initialisation import start_convolutions
from binssl.registry import BACKBONES, ConfigError

REMEDY = 'fewer stages'  # for images that are too small


class VGGUnit(nn.Module):
    """3x3 convolution, 2x2 max pool where the map is halved, BatchNorm, activation.

    Shape: (N, C, H, W) -> (N, C_out, H, W), or (N, C_out, floor(H/2), floor(W/2)).

    Args:
        in_channels: C.
        out_channels: C_out.
        halve: whether the pool is there.
        activation: a key of :data:`binssl.backbones.residual.ACTIVATIONS`.
        conv_cfg: precision of the convolution.
    """

    def __init__(
        self, in_channels: int, out_channels: int, halve: bool, activation: str | None, conv_cfg: dict | ConfigDict
    ) -> None:
        super().__init__()
        self.conv = build_conv(conv_cfg, in_channels, out_channels, 3, padding=1)
        self.pool = nn.MaxPool2d(2) if halve else nn.Identity()
        self.norm = nn.BatchNorm2d(out_channels)
        self.activation = ACTIVATIONS[activation](out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.pool(self.conv(x))))


@BACKBONES.register_module()
class VGG(nn.Module):
    """A plain chain of 3x3 convolutions: the first one real, each other by ``conv_cfg``.

    The last convolution of each stage halves the map by a max pool, which stands before its BatchNorm: behind it the
    maximum would be +1 almost everywhere. The defaults are VGG-small of the binary networks on CIFAR: six
    convolutions, to be flattened by the neck (``PoolMLP(pool='flatten')``).

    Shape: images (N, 3, H, W) -> a tuple of one map (N, widths[-1], H / 2^stages, W / 2^stages), rounded down.

    Args:
        widths: Width of each stage, the first one also that of the real convolution.
        depths: Convolutions of each stage, in the first one besides the real one.
        activation: Behind each BatchNorm: None, 'ReLU', 'Hardtanh' or 'RPReLU'.
        conv_cfg: Precision: :data:`binssl.binary.REAL`, ``BINARY_INPUT``, ``BINARY`` or one's own.
        input_size: Side of the images in pixels, where it is known, to be checked at once.
        init: How convolutions start, see :func:`binssl.core.initialisation.start_convolutions`.

    Attributes:
        out_channels: Width of the map.
        map_size: Side of the map in pixels, where ``input_size`` is known.

    Raises:
        ConfigError: The plan is inconsistent, or ``input_size`` is too small for it; from ``forward``, the images are,
            or give another map than ``input_size`` does.
    """

    def __init__(
        self,
        widths: Sequence[int] = (128, 256, 512),
        depths: Sequence[int] = (1, 2, 2),
        activation: str | None = 'Hardtanh',
        conv_cfg: dict | ConfigDict = BINARY,
        input_size: int | None = None,
        init: str = 'kaiming',
    ) -> None:
        super().__init__()
        check_stages('small', widths, depths)
        if activation not in ACTIVATIONS:
            raise ConfigError(f'activation {activation!r} is none of {", ".join(map(repr, ACTIVATIONS))}')
        self.smallest_input = 2 ** len(widths)
        check_size(input_size, self.smallest_input, REMEDY)
        self.out_channels = widths[-1]
        self.map_size = None if input_size is None else input_size // self.smallest_input
        self.stem = ResNetStem(widths[0], 'small', activation)
        unit = partial(VGGUnit, activation=activation, conv_cfg=conv_cfg)
        self.stages = nn.Sequential()
        for before, width, depth in zip([widths[0], *widths[:-1]], widths, depths, strict=True):
            entries = [before, *[width] * (depth - 1)]
            units = [unit(entry, width, halve=place == depth - 1) for place, entry in enumerate(entries)]
            self.stages.append(nn.Sequential(*units))
        check_signs(self, activation=activation)
        start_convolutions(self, init)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """The last map of ``images`` (N, 3, H, W)."""
        check_size(images.shape[-2:], self.smallest_input, REMEDY)
        sides = [side // self.smallest_input for side in images.shape[-2:]]
        if self.map_size is not None and sides != [self.map_size] * 2:
            raise ConfigError(
                f'images of {images.shape[-2]} x {images.shape[-1]} px give maps of {sides[0]} x {sides[1]}, and '
                f'input_size promises {self.map_size} x {self.map_size}: change input_size or the views'
            )
        return (self.stages(self.stem(images)),)


@BACKBONES.register_module()
class Pixels(nn.Module):
    """Raw pixels as the one map, the baseline that no network may lose to; no parameters. Flatten them in the neck.

    Shape: images (N, 3, H, W) -> a tuple of the same tensor.

    Attributes:
        out_channels: 3.
    """

    out_channels = 3

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """The images as they are."""
        return (images,)
