"""The image itself as a feature map: the baseline that no network may lose to."""

from __future__ import annotations

from torch import Tensor, nn

from binssl.registry import BACKBONES


@BACKBONES.register_module()
class Pixels(nn.Module):
    """Raw pixels as the one map; no parameters. Flatten them in the neck.

    Shape: images (N, 3, H, W) -> a tuple of the same tensor.

    Attributes:
        out_channels: 3.
    """

    out_channels = 3

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """The images as they are."""
        return (images,)
