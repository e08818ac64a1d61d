"""Real-valued networks from torchvision, under torchvision's own key names."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
import torchvision
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from binssl.backbones.plan import check_stages, collect_maps, count_from_start
from binssl.core.initialisation import start_convolutions
from binssl.registry import BACKBONES, ConfigError, nearest_names

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
        num_maps: How many maps ``out_indices`` may name.

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
        check_stages(stem, widths, depths)
        self.out_indices = count_from_start(out_indices, len(widths), 'stages')
        kernel, stride = (3, 1) if stem == 'small' else (7, 2)
        self.conv1 = nn.Conv2d(3, widths[0], kernel, stride, padding=kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if stem == 'small' else nn.MaxPool2d(3, stride=2, padding=1)
        before = widths[0]
        for number, (width, count) in enumerate(zip(widths, depths, strict=True), start=1):
            self.add_module(f'layer{number}', _stage(block, before, width, count, 1 if number == 1 else 2))
            before = width * block.expansion
        self.out_channels = widths[self.out_indices[-1]] * block.expansion
        self.num_maps = len(widths)
        start_convolutions(self, 'kaiming')

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Maps of ``images`` (N, 3, H, W) at ``out_indices``."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        stages = [getattr(self, f'layer{index + 1}') for index in range(max(self.out_indices) + 1)]
        return collect_maps(x, stages, self.out_indices)


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


# what stands behind the last map, where a child of that name is there
BEHIND_THE_MAP = ('avgpool', 'classifier', 'fc')
# networks whose other children, one after the other, are the trunk
CHAINS = (
    'AlexNet ConvNeXt DenseNet EfficientNet MNASNet MobileNetV2 MobileNetV3 RegNet ResNet ShuffleNetV2 SqueezeNet VGG'
).split()


@BACKBONES.register_module()
class TorchvisionModel(nn.Module):
    """Any convolutional classifier of torchvision without its classifier: one map, keys as torchvision's.

    Nothing that stands behind the last map is built in (ConvNeXt's last LayerNorm belongs to its classifier).

    Shape: images (N, 3, H, W) -> a tuple of one map (N, C, H', W').

    Args:
        name: As torchvision lists it: ``mobilenet_v2``, ``resnet50``, ``regnet_y_400mf``, ``convnext_tiny``, ...
        weights: Name of published weights that torchvision loads, ``'DEFAULT'`` or ``'IMAGENET1K_V1'``; None for
            random ones.
        input_size: Side of the images in pixels, where it is known, to be checked at once.

    Attributes:
        out_channels: C.

    Raises:
        ConfigError: No such network or weights, one that is no chain of maps (vision transformers, Inception), or an
            ``input_size`` too small for it.
    """

    def __init__(self, name: str = 'mobilenet_v2', weights: str | None = None, input_size: int | None = None) -> None:
        super().__init__()
        known = torchvision.models.list_models(module=torchvision.models)
        if name not in known:
            raise ConfigError(f'torchvision has no classifier {name!r}; {nearest_names(name, known)}')
        parts = _trunk(name, weights)
        for key, part in parts.items():
            self.add_module(key, part)
        outline = nn.Sequential(*copy.deepcopy(list(parts.values()))).to('meta')  # shapes only, no arithmetic
        self.out_channels = int(outline(torch.empty(1, 3, 224, 224, device='meta')).shape[1])
        if input_size is not None and not _fits(outline, input_size):
            smallest = next(size for size in range(input_size, 225) if _fits(outline, size))
            raise ConfigError(
                f'images of {input_size} x {input_size} px are too small for {name}: its maps would fall below 1 x 1. '
                f'The smallest that fit are {smallest} x {smallest}; or take another network'
            )

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """The last map of ``images`` (N, 3, H, W)."""
        x = images
        for part in self.children():
            x = part(x)
        return (x,)


def _trunk(name: str, weights: str | None) -> dict[str, nn.Module]:
    """The parts of a network up to its last map, in order."""
    try:
        network = torchvision.models.get_model(name, weights=weights)
    except (KeyError, ValueError) as error:
        raise ConfigError(f"{name} has no weights {weights!r} in torchvision; 'DEFAULT' is always there") from error
    if type(network).__name__ not in CHAINS:
        raise ConfigError(
            f'{name} is no chain of maps, so there is no last one to take; take a network of the kinds '
            f'{", ".join(CHAINS)}'
        )
    parts = {key: part for key, part in network.named_children() if key not in BEHIND_THE_MAP}
    if type(network).__name__ == 'DenseNet':  # its forward has a ReLU that is no child
        parts['relu'] = nn.ReLU(inplace=True)
    return parts


def _fits(network: nn.Module, size: int) -> bool:
    try:
        network(torch.empty(2, 3, size, size, device='meta'))
    except (RuntimeError, ValueError):
        return False
    return True
