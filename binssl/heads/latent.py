"""Latent prediction: the head of BYOL (arXiv:2006.07733) and SimSiam (arXiv:2011.10566)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from binssl.core.precision import feature_std, same_precision
from binssl.heads.projected import ProjectedHead
from binssl.registry import HEADS, NECKS, ConfigError


def negative_cosine(predictions: Tensor, targets: Tensor) -> Tensor:
    """``D(p, z) = -cos(p, z)``, mean over the batch, no gradient into z (SimSiam, arXiv:2011.10566).

    In float32 at least, also under autocast.

    Shape: (N, P), (N, P) -> ().
    """
    return -F.cosine_similarity(*same_precision(predictions, targets.detach())).mean()


@HEADS.register_module()
class LatentPredictionHead(ProjectedHead):
    """A projector, and a predictor on top of it that no target has.

    Shape: (N, D) -> (N, P), the projector's output, not normalised.

    Args:
        projector: config of a neck. BYOL: ``widths=[4096, 256]``; SimSiam: ``widths=[2048, 2048, 2048],
            bias=False, last_norm=True, last_norm_affine=False``.
        predictor: config of a neck as wide at both ends as the projector's output. BYOL: ``widths=[4096, 256]``;
            SimSiam: ``widths=[512, 2048], bias=False, last_bias=True``.

    Raises:
        ConfigError: a predictor of other widths.
    """

    def __init__(self, projector: dict, predictor: dict) -> None:
        super().__init__(projector)
        self.predictor = NECKS.build(predictor)
        ends = (self.predictor.in_channels, self.predictor.out_channels)
        if ends != (self.out_channels, self.out_channels):
            raise ConfigError(
                f'the predictor takes {ends[0]} channels and gives {ends[1]}; both must be the {self.out_channels} '
                'that the projector gives'
            )

    def predict(self, projections: Tensor) -> Tensor:
        """Projections (N, P) -> what they say of the other view's, (N, P)."""
        return self.predictor(projections)

    def loss(self, projections: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """``-cos`` of the prediction with the target, in [-1, 1], and ``feature_std`` of what is predicted from.

        Args:
            projections: of one view, (N, P).
            targets: of the other view, (N, P), by whichever network; they get no gradient.
        """
        return {'loss': negative_cosine(self.predict(projections), targets), 'feature_std': feature_std(projections)}
