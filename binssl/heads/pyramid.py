"""Maps of a trunk at several strides, and a pyramid over them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import ExtraFPNBlock

from binssl.registry import ConfigError

_PROBE_SIDE = 64  # pixels; divided evenly by every stride in use


class Pyramid(nn.Module):
    """A feature pyramid (arXiv:1612.03144, torchvision's) over a trunk, which it borrows: torchvision's ``backbone``.

    The trunk is asked for its last map at each stride; its ``out_indices`` are changed to these. It stays a part of the
    model alone: its weights are not among the pyramid's, and the model moves and trains it.

    Shape: images (N, 3, H, W) -> {'0': (N, C, H / s_0, W / s_0), ..., further levels by ``extra``}.

    Args:
        trunk: a backbone with ``num_maps`` and ``out_indices``.
        strides: in pixels, rising.
        channels: C.
        extra: makes further, coarser levels; torchvision's blocks.

    Attributes:
        out_channels: C.

    Raises:
        ConfigError: the trunk gives one map only, or none at a stride.
    """

    def __init__(self, trunk: Any, strides: Sequence[int], channels: int, extra: ExtraFPNBlock) -> None:
        super().__init__()
        maps = last_maps(trunk)
        missing = [stride for stride in strides if stride not in maps]
        if missing or not strides or sorted(set(strides)) != list(strides):
            raise ConfigError(
                f'{type(trunk).__name__} has maps at strides {", ".join(map(str, maps))}, and model.head.strides asks '
                f'for {", ".join(map(str, strides)) or "none"}: name some of them, in rising order'
            )
        trunk.out_indices = tuple(maps[stride][0] for stride in strides)
        self.trunk = (trunk,)  # in a tuple it is no child of this module
        self.fpn = FeaturePyramidNetwork([maps[stride][1] for stride in strides], channels, extra)
        self.out_channels = channels

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """The levels of ``images`` (N, 3, H, W), the finest first."""
        maps = self.trunk[0](images)
        return self.fpn(OrderedDict((str(place), level) for place, level in enumerate(maps)))


def last_maps(trunk: Any) -> dict[int, tuple[int, int]]:
    """The last map of each size that a trunk makes: {stride in pixels: (place among its maps, width)}.

    Raises:
        ConfigError: it makes one map only.
    """
    if not getattr(trunk, 'num_maps', 0):
        raise ConfigError(
            f'{type(trunk).__name__} gives its last map alone, and a detector needs maps of several sizes: take a '
            'ReActNet, ResNet, TwoStreamResNet or TorchvisionResNet'
        )
    before, training = trunk.out_indices, trunk.training
    trunk.out_indices = tuple(range(trunk.num_maps))
    weight = next(trunk.parameters())
    with torch.no_grad():
        maps = trunk.eval()(torch.zeros(1, 3, _PROBE_SIDE, _PROBE_SIDE, dtype=weight.dtype, device=weight.device))
    trunk.out_indices = before
    trunk.train(training)
    return {_PROBE_SIDE // level.shape[-1]: (place, level.shape[1]) for place, level in enumerate(maps)}
