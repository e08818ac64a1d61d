"""The base of most heads: a projector."""

from __future__ import annotations

from torch import Tensor

from binssl.core.scheduled import Scheduled
from binssl.registry import NECKS


class ProjectedHead(Scheduled):
    """A head whose output is its projector's.

    Shape: (N, D) -> (N, P), not normalised.

    Args:
        projector: config of a neck.
    """

    def __init__(self, projector: dict) -> None:
        super().__init__()
        self.projector = NECKS.build(projector)
        self.in_channels, self.out_channels = self.projector.in_channels, self.projector.out_channels

    def forward(self, features: Tensor) -> Tensor:
        """(N, D) -> (N, P), not normalised."""
        return self.projector(features)
