"""Cross-correlation of two views' features: the head of Barlow Twins (arXiv:2103.03230)."""

from __future__ import annotations

import math

import torch
from mmengine.dist import get_world_size
from torch import Tensor, nn

from binssl.core.precision import feature_std, same_precision
from binssl.core.processes import sum_over_processes
from binssl.heads.projected import ProjectedHead
from binssl.registry import HEADS


@HEADS.register_module()
class CrossCorrelationHead(ProjectedHead):
    """A projector, and C, the correlation of each channel of one view with each of the other, to be the identity.

    loss = ``sum_i (1 - C_ii)^2 + w sum_i sum_{j != i} C_ij^2``, C over the images of all processes.

    Shape: (N, D) -> (N, P), the projector's output, not normalised.

    Args:
        projector: config of a neck; Barlow Twins' is ``widths=[8192, 8192, 8192], bias=False``.
        redundancy_weight: w, lambda in the paper, at least 0; may be scheduled.

    Raises:
        ConfigError: another w.
    """

    redundancy_weight: Tensor

    def __init__(self, projector: dict, redundancy_weight: float = 0.0051) -> None:
        super().__init__(projector)
        self.keep_scheduled('redundancy_weight', redundancy_weight, 0, math.inf)
        # a BatchNorm, for sync_bn to find; the statistics of the batch are all that it is asked for
        self.norm = nn.BatchNorm1d(self.out_channels, affine=False, track_running_stats=False)

    def correlation(self, one: Tensor, other: Tensor) -> Tensor:
        """Projections of two views, (N, P) and (N, P), -> C, (P, P), in float32 at least."""
        one, other = same_precision(one, other)
        with torch.autocast(one.device.type, enabled=False):
            # (P, N) x (N, P) -> (P, P)
            return sum_over_processes(self.norm(one).T @ self.norm(other)) / (len(one) * get_world_size())

    def loss(self, one: Tensor, other: Tensor) -> dict[str, Tensor]:
        """The loss of projections (N, P) of two views; every process must call it, with equally many.

        Returns:
            ``loss``; detached, ``on_diagonal``, the mean of C_ii: 1 where the views agree, 0 in a collapse;
            ``off_diagonal``, the root mean square of the other C_ij: 1 where all channels say the same; ``feature_std``
            of the first view.
        """
        correlation, width = self.correlation(one, other), self.out_channels
        diagonal = correlation.diagonal()
        # without the last entry, rows of P + 1 have the diagonal for their first column
        others = correlation.flatten()[:-1].view(width - 1, width + 1)[:, 1:]
        redundancy = others.square().sum()
        loss = (1 - diagonal).square().sum() + self.redundancy_weight.to(redundancy.dtype) * redundancy
        return {
            'loss': loss,
            'on_diagonal': diagonal.detach().mean(),
            'off_diagonal': (redundancy.detach() / max(others.numel(), 1)).sqrt(),
            'feature_std': feature_std(one),
        }
