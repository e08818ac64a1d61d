"""Barlow Twins (arXiv:2103.03230): two views' features correlate channel by channel, and no two channels do."""

from __future__ import annotations

from torch import Tensor

from binssl.algorithms.base import Encoder, Images
from binssl.registry import ALGORITHMS


@ALGORITHMS.register_module()
class BarlowTwins(Encoder):
    """Two views of each image through one network; no negatives, no teacher, no predictor, no stopped gradient.

    Published: 73.2 linear top-1, ResNet-50, ImageNet, 1000 epochs of 2048 images a step by LARS.
    The head is a CrossCorrelationHead.
    """

    views = 2
    head_offers = ('loss',)

    def loss(self, images: Images, labels: Tensor | None = None) -> dict[str, Tensor]:
        """The loss of one batch of two views; what the head says beside it is for the log."""
        one, other = [self.head(self.extract(view)) for view in self.take_views(images)]
        return self.head.loss(one, other)
