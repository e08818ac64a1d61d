"""Bi-Real-50 (arXiv:1811.01335): bottlenecks between a narrow and a wide stream, each with real shortcuts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mmengine.config import ConfigDict
from torch import Tensor, nn

from binssl.backbones.plan import build_stages, check_size, check_stages, collect_maps, count_from_start, smallest_input
from binssl.backbones.residual import ProjectedShortcut, ResNetStem, halving_pool
from binssl.binary import BINARY, build_conv
from binssl.core.initialisation import start_convolutions
from binssl.registry import BACKBONES

EXPANSION = 4  # width of the wide stream over that of the narrow one
REMEDY = "stem='small' or fewer stages"  # for images that are too small
#: the very first 1x1 is real whatever the others are: its input has just been pooled
FIRST = {'type': 'BinaryConv2d', 'activation': {'type': 'LeakyClip', 'slope': 0.1}}

Streams = tuple[Tensor, Tensor]


class ConvNorm(nn.Module):
    """A convolution without bias and a BatchNorm.

    Shape: (N, C, H, W) -> (N, C_out, ceil(H/stride), ceil(W/stride)).
    """

    def __init__(
        self, conv_cfg: dict | ConfigDict, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1
    ) -> None:
        super().__init__()
        self.conv = build_conv(conv_cfg, in_channels, out_channels, kernel_size, stride, kernel_size // 2)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))


class TwoStreamBlock(nn.Module):
    """A bottleneck whose three sums feed two streams, so that no real number has to pass a sign.

        p = BN(1x1(wide)) + narrow        (1x1(narrow), real, where the stage changes; nothing in the first block)
        q = BN(3x3(p)) + p                (mean of 2x2 pixels of p where the map is halved)
        r = BN(1x1(q)) + wide             (pooled, real 1x1, BN where the stage changes)

    with the convolutions of BN(...) by ``conv_cfg``, which take the sign of their inputs themselves.
    Shape: narrow (N, C, H, W), wide (N, D, H, W) -> q (N, width, H', W') and r (N, 4 width, H', W').

    Args:
        before: C; D is 4 C, but in the first block, where both streams are the stem's output, of C.
        width: of the inner convolutions.
        place: 'first' of the network, 'change' of a stage, which halves the map, or 'inner'.
        conv_cfg: precision.
    """

    def __init__(self, before: int, width: int, place: str, conv_cfg: dict | ConfigDict) -> None:
        super().__init__()
        wide = before if place == 'first' else before * EXPANSION
        self.reduce = ConvNorm(FIRST if place == 'first' else conv_cfg, wide, width, 1)
        self.spatial = ConvNorm(conv_cfg, width, width, 3, stride=2 if place == 'change' else 1)
        self.expand = ConvNorm(conv_cfg, width, width * EXPANSION, 1)
        self.takes_narrow = place != 'first'
        self.narrow_shortcut: nn.Module = nn.Identity()
        self.pool = halving_pool() if place == 'change' else nn.Identity()
        self.wide_shortcut: nn.Module = nn.Identity()
        if place == 'change':
            self.narrow_shortcut = nn.Conv2d(before, width, 1, bias=False)
        if place != 'inner':
            self.wide_shortcut = ProjectedShortcut(wide, width * EXPANSION, 'pool' if place == 'change' else 'keep')

    def forward(self, streams: Streams) -> Streams:
        narrow, wide = streams
        reduced = self.reduce(wide)
        if self.takes_narrow:
            reduced = reduced + self.narrow_shortcut(narrow)
        inner = self.spatial(reduced) + self.pool(reduced)
        return inner, self.expand(inner) + self.wide_shortcut(wide)


@BACKBONES.register_module()
class TwoStreamResNet(nn.Module):
    """Bi-Real-50: a ResNet of bottlenecks with a shortcut around each of their three convolutions.

    The narrow stream joins the inner sums of one block to those of the next, the wide one the outer sums
    (:class:`TwoStreamBlock`). Real: the stem (convolution, BatchNorm, max pool, no activation), the shortcuts and the
    very first 1x1, whose input goes through a leaky clip. The plan is that of the release.

    Shape: images (N, 3, H, W) -> a tuple of maps (N, 4 C_i, H_i, W_i) of the wide stream.

    Args:
        widths: Width of the narrow stream in each stage, the first one the stem's too; the wide one has four times it.
        depths: Blocks of each stage; every stage but the first halves the map in its first block.
        stem: 'imagenet': 7x7 stride 2 and a max pool; 'small': 3x3 stride 1, for images of 8 to 64 px.
        conv_cfg: Precision of the blocks' convolutions: :data:`binssl.binary.REAL`, ``BINARY_INPUT``, ``BINARY`` or
            one's own.
        input_size: Side of the images in pixels, where it is known, to be checked at once.
        out_indices: Stages to return, negative from the end.
        init: How convolutions start, see :func:`binssl.core.initialisation.start_convolutions`.

    Attributes:
        out_channels: Width of the last returned map.
        num_maps: How many maps ``out_indices`` may name.

    Raises:
        ConfigError: The plan is inconsistent, or ``input_size`` is too small for it; from ``forward``, the images are.
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256, 512),
        depths: Sequence[int] = (3, 4, 6, 3),
        stem: str = 'imagenet',
        conv_cfg: dict | ConfigDict = BINARY,
        input_size: int | None = None,
        out_indices: Sequence[int] = (-1,),
        init: str = 'kaiming',
    ) -> None:
        super().__init__()
        check_stages(stem, widths, depths)
        self.smallest_input = smallest_input(1 if stem == 'small' else 4, [1] + [2] * (len(widths) - 1))
        check_size(input_size, self.smallest_input, REMEDY)
        self.out_indices = count_from_start(out_indices, len(widths), 'stages')
        self.out_channels = widths[self.out_indices[-1]] * EXPANSION
        self.num_maps = len(widths)
        self.stem = ResNetStem(widths[0], stem, None)
        self.stages = build_stages(widths, depths, partial(TwoStreamBlock, conv_cfg=conv_cfg))
        start_convolutions(self, init)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Maps of ``images`` (N, 3, H, W) at ``out_indices``."""
        check_size(images.shape[-2:], self.smallest_input, REMEDY)
        x = self.stem(images)
        return tuple(wide for _, wide in collect_maps((x, x), self.stages, self.out_indices))
