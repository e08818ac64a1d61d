"""ReActNet (arXiv:2003.03488): MobileNet's plan in 1-bit convolutions, with a shortcut around every one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from mmengine.config import ConfigDict
from torch import Tensor, nn

from binssl.backbones.plan import check_size, collect_maps, count_from_start, smallest_input
from binssl.binary import BINARY, RPReLU, Shift, build_conv
from binssl.core.initialisation import start_convolutions
from binssl.registry import BACKBONES, ConfigError

REMEDY = 'strides of 1 (stem_stride, strides)'  # for images that are too small


class Stem(nn.Module):
    """Real 3x3 convolution and BatchNorm: (N, 3, H, W) -> (N, C, ceil(H/stride), ceil(W/stride))."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3, stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.conv(images))


class SpatialUnit(nn.Module):
    """The 3x3 half of a block, which keeps the width.

    forward:  y = rprelu(norm(conv3x3(shift(x))) + shortcut(x)); the shortcut is x, or its 2x2 average pool
              at stride 2
    Shape: (N, C, H, W) -> (N, C, ceil(H/stride), ceil(W/stride)).
    """

    def __init__(self, channels: int, stride: int, conv_cfg: dict | ConfigDict) -> None:
        super().__init__()
        self.shift = Shift(channels)
        self.conv = build_conv(conv_cfg, channels, channels, 3, stride, padding=1)
        self.norm = nn.BatchNorm2d(channels)
        # ceil_mode: a map of odd size is halved as the convolution halves it
        self.shortcut = nn.AvgPool2d(2, ceil_mode=True) if stride == 2 else nn.Identity()
        self.activation = RPReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.conv(self.shift(x))) + self.shortcut(x))


class PointwiseUnit(nn.Module):
    """The 1x1 half of a block; a wider output is several branches of the input's width side by side.

    forward:  y = rprelu(cat_i(norm_i(conv1x1_i(shift(x))) + x)), i = 1 .. out/in
    Shape: (N, C, H, W) -> (N, C_out, H, W), C_out a multiple of C.
    """

    def __init__(self, in_channels: int, out_channels: int, conv_cfg: dict | ConfigDict) -> None:
        super().__init__()
        branches = range(out_channels // in_channels)
        self.shift = Shift(in_channels)
        self.convs = nn.ModuleList(build_conv(conv_cfg, in_channels, in_channels, 1) for _ in branches)
        self.norms = nn.ModuleList(nn.BatchNorm2d(in_channels) for _ in branches)
        self.activation = RPReLU(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        shifted = self.shift(x)
        maps = [norm(conv(shifted)) + x for conv, norm in zip(self.convs, self.norms, strict=True)]
        return self.activation(maps[0] if len(maps) == 1 else torch.cat(maps, dim=1))


class Block(nn.Module):
    """A 3x3 unit, then a 1x1 unit: (N, C, H, W) -> (N, C_out, ceil(H/stride), ceil(W/stride))."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, conv_cfg: dict | ConfigDict) -> None:
        super().__init__()
        self.spatial = SpatialUnit(in_channels, stride, conv_cfg)
        self.pointwise = PointwiseUnit(in_channels, out_channels, conv_cfg)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.spatial(x))


@BACKBONES.register_module()
class ReActNet(nn.Module):
    """ReActNet (arXiv:2003.03488), plan A by default; each convolution but the stem by ``conv_cfg``.

    A block is a 3x3 unit that keeps the width and may halve the map, and a 1x1 unit that may widen it; both
    are shift, convolution, BatchNorm, + shortcut, RPReLU. Only the branches that are used exist, so every
    parameter up to the last map of ``out_indices`` gets a gradient. BatchNorms start at 1 and 0, shifts at 0,
    slopes at 0.25.

    Shape: images (N, 3, H, W) -> a tuple of maps (N, C_i, H_i, W_i).

    Args:
        channels: Width of the stem and of each block's output, each a multiple of the one before.
        strides: Stride of each block, 1 or 2.
        stem_stride: Stride of the stem, 1 or 2.
        conv_cfg: Precision of the blocks' convolutions: :data:`binssl.binary.REAL`, ``BINARY_INPUT``,
            ``BINARY`` (the default: triangular activations, clipped scaled weights) or one's own.
        input_size: Side of the images in pixels, where it is known, to be checked at once.
        out_indices: Maps to return: 0 is the stem's, i the i-th block's, negative from the end.
        init: How convolutions start, see :func:`binssl.core.initialisation.start_convolutions`.

    Attributes:
        out_channels: Width of the last returned map.
        num_maps: How many maps ``out_indices`` may name.

    Raises:
        ConfigError: The plan is inconsistent, or ``input_size`` is too small for it; from ``forward``, the images are.
    """

    def __init__(
        self,
        channels: Sequence[int] = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024),
        strides: Sequence[int] = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1),
        stem_stride: int = 2,
        conv_cfg: dict | ConfigDict = BINARY,
        input_size: int | None = None,
        out_indices: Sequence[int] = (-1,),
        init: str = 'kaiming',
    ) -> None:
        super().__init__()
        _check_plan(channels, strides, stem_stride)
        self.smallest_input = smallest_input(stem_stride, strides)
        check_size(input_size, self.smallest_input, REMEDY)
        self.out_indices = count_from_start(out_indices, len(channels), 'maps; 0 is the stem')
        self.out_channels = channels[self.out_indices[-1]]
        self.num_maps = len(channels)
        self.stem = Stem(channels[0], stem_stride)
        plan = zip(pairwise(channels), strides, strict=True)
        self.blocks = nn.ModuleList(Block(*widths, stride, conv_cfg) for widths, stride in plan)
        start_convolutions(self, init)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Maps of ``images`` (N, 3, H, W) at ``out_indices``."""
        check_size(images.shape[-2:], self.smallest_input, REMEDY)
        return collect_maps(images, (self.stem, *self.blocks), self.out_indices)


def _check_plan(channels: Sequence[int], strides: Sequence[int], stem_stride: int) -> None:
    if len(channels) != len(strides) + 1:
        raise ConfigError(
            f'{len(channels)} channels and {len(strides)} strides do not fit: channels lists the stem and '
            f'each block, strides each block, so give {len(channels) - 1} strides'
        )
    if bad := [stride for stride in (stem_stride, *strides) if stride not in (1, 2)]:
        raise ConfigError(f'strides must be 1 or 2, not {bad[0]!r}')
    for before, after in pairwise(channels):
        if before < 1 or after % before or after < before:
            raise ConfigError(f'a block goes from {before} to a multiple of it, not to {after} channels')
