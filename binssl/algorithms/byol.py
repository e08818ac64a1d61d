"""BYOL (arXiv:2006.07733): prediction of a slow copy's latent of the other view, without negatives."""

from __future__ import annotations

from torch import Tensor

from binssl.algorithms.base import Encoder, Images
from binssl.algorithms.teacher import build_momentum_teacher
from binssl.registry import ALGORITHMS


@ALGORITHMS.register_module()
class BYOL(Encoder):
    """``loss = 2 - 2 cos(q(z), z') + 2 - 2 cos(q(z'), z)`` over both directions, mean over the batch.

    z are the student's projections, q its predictor; the targets are the projections of a momentum teacher.

    Args:
        backbone, neck, data_preprocessor: configs, as of :class:`Encoder`.
        head: config of a LatentPredictionHead.
        teacher: config of a MomentumTeacher, which copies backbone, neck and projector, not the predictor. In the
            paper its momentum goes from 0.996 to 1, by a cosine (``schedules``, target ``teacher.momentum``).
    """

    views = 2
    head_offers = ('projector', 'predict', 'loss')

    def __init__(
        self,
        backbone: dict,
        head: dict,
        neck: dict | None = None,
        teacher: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(backbone, neck, head, data_preprocessor)
        slow = teacher or {'type': 'MomentumTeacher', 'momentum': 0.996}
        self.teacher = build_momentum_teacher(slow, self, self.head.projector)

    def loss(self, images: Images, labels: Tensor | None = None) -> dict[str, Tensor]:
        """The loss of one batch of two views, in [0, 8]; ``feature_std`` tells a collapse, 0, from a spread, 1."""
        views = self.take_views(images)
        projections = [self.head(self.extract(view)) for view in views]
        targets = [self.teacher(view) for view in views]
        one, other = self.head.loss(projections[0], targets[1]), self.head.loss(projections[1], targets[0])
        # 2 - 2 cos is the squared distance of unit vectors
        loss = (2 + 2 * one['loss']) + (2 + 2 * other['loss'])
        return {'loss': loss, 'feature_std': (one['feature_std'] + other['feature_std']) / 2}
