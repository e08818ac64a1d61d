"""SimSiam (arXiv:2011.10566): prediction of the other view's latent, with a stopped gradient and no teacher."""

from __future__ import annotations

from torch import Tensor

from binssl.algorithms.base import Encoder, Images
from binssl.registry import ALGORITHMS


@ALGORITHMS.register_module()
class SimSiam(Encoder):
    """``loss = D(p, stop(z')) / 2 + D(p', stop(z)) / 2``, D = -cos, mean over the batch.

    z are the projections of the two views, p what the predictor makes of them.

    Args:
        backbone, neck, data_preprocessor: configs, as of :class:`Encoder`.
        head: config of a LatentPredictionHead.
    """

    views = 2
    head_offers = ('predict', 'loss')

    def __init__(
        self, backbone: dict, head: dict, neck: dict | None = None, data_preprocessor: dict | None = None
    ) -> None:
        super().__init__(backbone, neck, head, data_preprocessor)

    def loss(self, images: Images, labels: Tensor | None = None) -> dict[str, Tensor]:
        """The loss of one batch of two views, in [-1, 1]; ``feature_std`` tells a collapse, 0, from a spread, 1."""
        one, other = [self.head(self.extract(view)) for view in self.take_views(images)]
        directions = [self.head.loss(one, other), self.head.loss(other, one)]
        return {name: (directions[0][name] + directions[1][name]) / 2 for name in directions[0]}
