"""The parts of a residual network: stem, shortcuts, and blocks of one or two convolutions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mmengine.config import ConfigDict
from torch import Tensor, nn
from torch.nn import functional as F

from binssl.binary import RPReLU, Shift, build_conv

ACTIVATIONS: dict[str | None, Callable[[int], nn.Module]] = {
    None: lambda channels: nn.Identity(),
    'ReLU': lambda channels: nn.ReLU(inplace=True),
    'Hardtanh': lambda channels: nn.Hardtanh(inplace=True),
    'RPReLU': RPReLU,
}


class ResNetStem(nn.Module):
    """Real convolution, BatchNorm, activation and, for 'imagenet', a max pool.

    Shape: (N, 3, H, W) -> (N, C, ceil(H/4), ceil(W/4)) for 'imagenet' (7x7 and pool, stride 2 each), (N, C, H, W)
    for 'small' (3x3).
    """

    def __init__(self, channels: int, kind: str, activation: str | None) -> None:
        super().__init__()
        small = kind == 'small'
        kernel, stride = (3, 1) if small else (7, 2)
        self.conv = nn.Conv2d(3, channels, kernel, stride, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.activation = ACTIVATIONS[activation](channels)
        self.pool = nn.Identity() if small else nn.MaxPool2d(3, stride=2, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.pool(self.activation(self.norm(self.conv(images))))


def halving_pool() -> nn.Module:
    """Mean of 2x2 pixels: (N, C, H, W) -> (N, C, ceil(H/2), ceil(W/2)), as a convolution of stride 2 halves a map."""
    return nn.AvgPool2d(2, ceil_mode=True)


class ProjectedShortcut(nn.Module):
    """What a block that halves the map, or widens it, adds: real 1x1 convolution and BatchNorm.

    'pool' takes the mean of 2x2 pixels first (Bi-Real Net), 'conv' every second pixel (ResNet), 'keep' all.
    Shape: (N, C, H, W) -> (N, C_out, ceil(H/2), ceil(W/2)), or (N, C_out, H, W) for 'keep'.
    """

    def __init__(self, in_channels: int, out_channels: int, kind: str) -> None:
        super().__init__()
        self.pool = halving_pool() if kind == 'pool' else nn.Identity()
        self.conv = nn.Conv2d(in_channels, out_channels, 1, 2 if kind == 'conv' else 1, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(self.pool(x)))


class PaddedShortcut(nn.Module):
    """ReCU's shortcut without a parameter: mean of 2x2 pixels, as many zero channels before as behind.

    Shape: (N, C, H, W) -> (N, C_out, ceil(H/2), ceil(W/2)).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.zeros = (out_channels - in_channels) // 2

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(F.avg_pool2d(x, 2, ceil_mode=True), (0, 0, 0, 0, self.zeros, self.zeros))


class Unit(nn.Module):
    """Shift, 3x3 convolution, BatchNorm, + shortcut where there is one, activation.

    Shape: (N, C, H, W), the shortcut (N, C_out, H', W') -> (N, C_out, H', W'), H' = ceil(H/stride).

    Args:
        in_channels: C.
        out_channels: C_out.
        stride: of the convolution, 1 or 2.
        shift: whether the learnable shift is there.
        activation: a key of :data:`ACTIVATIONS`.
        conv_cfg: precision of the convolution.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        shift: bool,
        activation: str | None,
        conv_cfg: dict | ConfigDict,
    ) -> None:
        super().__init__()
        self.shift = Shift(in_channels) if shift else nn.Identity()
        self.conv = build_conv(conv_cfg, in_channels, out_channels, 3, stride, padding=1)
        self.norm = nn.BatchNorm2d(out_channels)
        self.activation = ACTIVATIONS[activation](out_channels)

    def forward(self, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        y = self.norm(self.conv(self.shift(x)))
        return self.activation(y if shortcut is None else y + shortcut)


class Block(nn.Module):
    """One or two units and a shortcut from the first one's input to the last one's sum.

    Shape: (N, C, H, W) -> (N, C_out, H', W'), halved where there is a module ``shortcut`` other than the identity.
    """

    def __init__(self, units: Sequence[Unit], shortcut: nn.Module) -> None:
        super().__init__()
        self.units = nn.ModuleList(units)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.shortcut(x)
        for unit in self.units[:-1]:
            x = unit(x)
        return self.units[-1](x, shortcut)


def build_block(
    unit: Callable[[int, int, int], Unit], convs: int, shortcut: str, in_channels: int, out_channels: int, place: str
) -> Block:
    """A block of ``convs`` units, by ``unit(in_channels, out_channels, stride)``.

    One that halves the map, in the place 'change' of a stage, has a shortcut of a kind: 'pool', 'conv' or 'pad'.
    """
    halves = place == 'change'
    units = [unit(in_channels, out_channels, 2 if halves else 1)]
    units += [unit(out_channels, out_channels, 1) for _ in range(convs - 1)]
    if not halves:
        return Block(units, nn.Identity())
    if shortcut == 'pad':
        return Block(units, PaddedShortcut(in_channels, out_channels))
    return Block(units, ProjectedShortcut(in_channels, out_channels, shortcut))
