"""Real-valued networks from torchvision, under torchvision's own key names."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from binssl.registry import BACKBONES, ConfigError

PLANS: dict[int, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, ...]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
}


@BACKBONES.register_module()
class TorchvisionResNet(nn.Module):
    """A real-valued ResNet (arXiv:1512.03385) of torchvision's blocks, without its classifier.

    Keys are torchvision's (``conv1 bn1 layer1 ...``), so that its checkpoints and those of MoCo fit strictly
    once ``fc.*`` is taken out. Weights: Kaiming normal (fan out), BatchNorm 1 and 0, as torchvision's.

    Shape: images (N, 3, H, W) -> a tuple of maps (N, C_i, H_i, W_i).

    Args:
        depth: 18, 34 (basic blocks) or 50 (bottlenecks, four times as wide at their ends).
        stem: 'imagenet': 7x7 stride 2 and a max pool; 'small': 3x3 stride 1, for images of 8 to 64 px.
        widths: Width of each stage; stages after the first halve the map.
        depths: Blocks in each stage; by default those of ``depth``.
        out_indices: Stages to return, negative from the end.

    Attributes:
        out_channels: Width of the last returned map.

    Raises:
        ConfigError: The plan is unknown or inconsistent.
    """

    def __init__(
        self,
        depth: int = 50,
        stem: str = 'imagenet',
        widths: Sequence[int] = (64, 128, 256, 512),
        depths: Sequence[int] | None = None,
        out_indices: Sequence[int] = (-1,),
    ) -> None:
        super().__init__()
        if depth not in PLANS:
            raise ConfigError(f'depth {depth!r} is none of {sorted(PLANS)}')
        block, default_depths = PLANS[depth]
        depths = default_depths if depths is None else depths
        _check_plan(stem, widths, depths, out_indices)
        if stem == 'small':
            self.conv1 = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        else:
            self.conv1 = nn.Conv2d(3, widths[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if stem == 'small' else nn.MaxPool2d(3, stride=2, padding=1)
        before = widths[0]
        for index, (width, count) in enumerate(zip(widths, depths, strict=True)):
            stride = 2 if index else 1
            self.add_module(f'layer{index + 1}', _stage(block, before, width, count, stride))
            before = width * block.expansion
        self.out_indices = tuple(index % len(widths) for index in out_indices)
        self.out_channels = widths[self.out_indices[-1]] * block.expansion
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode='fan_out', nonlinearity='relu')

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Maps of ``images`` (N, 3, H, W) at ``out_indices``."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        maps = []
        for index in range(max(self.out_indices) + 1):
            x = getattr(self, f'layer{index + 1}')(x)
            maps.append(x)
        return tuple(maps[index] for index in self.out_indices)


def _check_plan(stem: str, widths: Sequence[int], depths: Sequence[int], out_indices: Sequence[int]) -> None:
    if stem not in ('imagenet', 'small'):
        raise ConfigError(f"stem {stem!r} must be 'imagenet' or 'small'")
    if not widths or len(widths) != len(depths) or min(*widths, *depths) < 1:
        raise ConfigError(
            f'widths {tuple(widths)} and depths {tuple(depths)} must have one number >= 1 for each stage'
        )
    if not out_indices or not all(-len(widths) <= index < len(widths) for index in out_indices):
        raise ConfigError(f'out_indices {tuple(out_indices)} must name some of the {len(widths)} stages')


def _stage(
    block: type[BasicBlock] | type[Bottleneck], in_channels: int, width: int, count: int, stride: int
) -> nn.Sequential:
    """``count`` blocks of ``width``; the first has the stride and, where needed, a projected shortcut."""
    out_channels = width * block.expansion
    shortcut = None
    if stride != 1 or in_channels != out_channels:
        projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
        shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))
    blocks = [block(in_channels, width, stride, shortcut)]
    return nn.Sequential(*blocks, *(block(out_channels, width) for _ in range(count - 1)))
