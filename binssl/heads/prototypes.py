"""Prototypes and the codes that an optimal transport gives to them (SwAV, arXiv:2006.09882)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from mmengine.dist import all_gather
from torch import Tensor, nn
from torch.nn import functional as F

from binssl.core.precision import at_least_float32, feature_std, unit_rows
from binssl.heads.projected import ProjectedHead
from binssl.registry import HEADS, ConfigError


@torch.no_grad()
def sinkhorn(scores: Tensor, epsilon: float | Tensor, iterations: int) -> Tensor:
    """Codes Q = diag(u) exp(scores / epsilon) diag(v): every sample given away once, every prototype used alike.

    Sinkhorn and Knopp's iteration over the samples of all processes: each one scales
    the prototypes to equal shares, then the samples to 1. The published code takes the exponential first, which
    overflows for a small epsilon; here everything stays in logarithms. Every process must call it.

    Shape: (N, K) -> (N, K), rows of sum 1, without a gradient.
    """
    logits = at_least_float32(scores) / epsilon
    for _ in range(iterations):
        # (K,) of every process -> (K,): how much is given to each prototype
        shares = torch.stack(all_gather(logits.logsumexp(dim=0))).logsumexp(dim=0)
        logits = (logits - shares).log_softmax(dim=1)
    return logits.exp()


def swapped_prediction(scores: Sequence[Tensor], codes: Sequence[Tensor], temperature: float | Tensor) -> Tensor:
    """Each crop's code predicted from every other crop (SwAV, arXiv:2006.09882).

    ``-q_i . log softmax(scores_v / T)``, mean over the batch, over the crops v other than i, and over the codes i.
    The codes belong to the first crops.

    Shape: crops x (N, K), codes x (N, K) -> ().
    """
    terms = [
        F.cross_entropy(crop_scores.to(code.dtype) / temperature, code)
        for place, code in enumerate(codes)
        for crop, crop_scores in enumerate(scores)
        if crop != place
    ]
    return torch.stack(terms).mean()


@HEADS.register_module()
class PrototypeHead(ProjectedHead):
    """A projector, and prototypes on the unit sphere that its normalised outputs are compared with.

    Unlike another head's, whose embedding is its output brought to unit length, this one's :meth:`embed` gives the K
    cosines with the prototypes: they are what SwAV's softmax is taken of, so what a student distilled from it follows.

    Shape: (N, D) -> (N, P), the projector's output, not normalised.

    Args:
        projector: config of a neck; SwAV's is ``widths=[2048, 128]``.
        prototypes: K, at least 2.
        temperature: T of the softmax that predicts a code; may be scheduled.
        epsilon: of the codes: the smaller, the harder; may be scheduled.
        sinkhorn_iterations: at least 1.

    Attributes:
        embedding_channels: K, the width of :meth:`embed`, while ``out_channels`` is P.

    Raises:
        ConfigError: a number outside its range.
    """

    temperature: Tensor
    epsilon: Tensor

    def __init__(
        self,
        projector: dict,
        prototypes: int = 3000,
        temperature: float = 0.1,
        epsilon: float = 0.05,
        sinkhorn_iterations: int = 3,
    ) -> None:
        super().__init__(projector)
        if prototypes < 2:
            raise ConfigError(f'prototypes {prototypes} of PrototypeHead must be at least 2: one tells nothing apart')
        if sinkhorn_iterations < 1:
            raise ConfigError(
                f'sinkhorn_iterations {sinkhorn_iterations} of PrototypeHead must be at least 1: without one the '
                'prototypes need not be used alike, and a single one may take all'
            )
        self.keep_scheduled('temperature', temperature, 0, math.inf, open_low=True)
        self.keep_scheduled('epsilon', epsilon, 0, math.inf, open_low=True)
        self.embedding_channels, self.sinkhorn_iterations = prototypes, sinkhorn_iterations
        self.prototypes = nn.Linear(self.out_channels, prototypes, bias=False)
        self.normalize_prototypes()

    def unit_rows(self, features: Tensor) -> Tensor:
        """(N, D) -> (N, P) of unit rows, in float32 at least."""
        return unit_rows(self(features))

    def scores(self, rows: Tensor) -> Tensor:
        """Unit rows (N, P) times the prototypes as they are -> (N, K), also under autocast in the rows' dtype."""
        with torch.autocast(rows.device.type, enabled=False):
            # (N, P) x (P, K) -> (N, K)
            return F.linear(rows, self.prototypes.weight.to(rows.dtype))

    def embed(self, features: Tensor) -> Tensor:
        """(N, D) -> cosines with the prototypes, (N, K), in float32 at least."""
        rows = self.unit_rows(features)
        with torch.autocast(rows.device.type, enabled=False):
            return F.linear(rows, F.normalize(self.prototypes.weight.to(rows.dtype)))

    @torch.no_grad()
    def normalize_prototypes(self) -> None:
        """Put the prototypes back on the unit sphere; the published training does so before every forward."""
        self.prototypes.weight.copy_(F.normalize(self.prototypes.weight))

    def assign(self, scores: Tensor) -> Tensor:
        """Codes (N, K) for ``scores`` (N, K), over all processes, without a gradient."""
        return sinkhorn(scores, self.epsilon, self.sinkhorn_iterations)

    def loss(self, rows: Tensor, scores: Sequence[Tensor], codes: Sequence[Tensor]) -> dict[str, Tensor]:
        """The swapped prediction, and the spread of one crop's rows over all processes.

        Args:
            rows: of one crop, (N, P); for the log.
            scores: of all crops, (N, K) each.
            codes: of the first crops, (N, K) each.

        Returns:
            ``loss`` and ``feature_std``.
        """
        return {'loss': swapped_prediction(scores, codes, self.temperature), 'feature_std': feature_std(rows)}
