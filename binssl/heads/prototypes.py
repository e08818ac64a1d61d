"""Prototypes and the codes that an optimal transport gives to them (SwAV, arXiv:2006.09882)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from mmengine.dist import all_gather
from torch import Tensor, nn
from torch.nn import functional as F

from binssl.heads.collapse import feature_std
from binssl.heads.scheduled import keep_scheduled
from binssl.registry import HEADS, NECKS, ConfigError


@torch.no_grad()
def sinkhorn(scores: Tensor, epsilon: float | Tensor, iterations: int) -> Tensor:
    """Codes Q = diag(u) exp(scores / epsilon) diag(v): every sample given away once, every prototype used alike.

    Sinkhorn and Knopp's iteration over the samples of all processes: each one scales
    the prototypes to equal shares, then the samples to 1. The published code takes the exponential first, which
    overflows for a small epsilon; here everything stays in logarithms. Every process must call it.

    Shape: (N, K) -> (N, K), rows of sum 1, without a gradient.
    """
    logits = scores.to(torch.promote_types(scores.dtype, torch.float32)) / epsilon
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
class PrototypeHead(nn.Module):
    """A projector, and prototypes on the unit sphere that its normalised outputs are compared with.

    Shape: (N, D) -> (N, P), the projector's output, not normalised.

    Args:
        projector: config of a neck; SwAV's is ``widths=[2048, 128]``.
        prototypes: K, at least 2.
        temperature: T of the softmax that predicts a code; may be scheduled.
        epsilon: of the codes: the smaller, the harder; may be scheduled.
        sinkhorn_iterations: at least 1.

    Attributes:
        embedding_channels: K, the width of :meth:`embed`.

    Raises:
        ConfigError: a number outside its range.
    """

    temperature: Tensor
    epsilon: Tensor

    def __init__(self, projector: dict, prototypes: int = 3000, temperature: float = 0.1, epsilon: float = 0.05,
                 sinkhorn_iterations: int = 3) -> None:  # fmt: skip
        super().__init__()
        if prototypes < 2:
            raise ConfigError(f'prototypes {prototypes} of PrototypeHead must be at least 2: one tells nothing apart')
        if sinkhorn_iterations < 1:
            raise ConfigError(
                f'sinkhorn_iterations {sinkhorn_iterations} of PrototypeHead must be at least 1: without one the '
                'prototypes need not be used alike, and a single one may take all'
            )
        keep_scheduled(self, 'temperature', temperature, 0, math.inf, open_low=True)
        keep_scheduled(self, 'epsilon', epsilon, 0, math.inf, open_low=True)
        self.projector = NECKS.build(projector)
        self.in_channels, self.out_channels = self.projector.in_channels, self.projector.out_channels
        self.embedding_channels, self.sinkhorn_iterations = prototypes, sinkhorn_iterations
        self.prototypes = nn.Linear(self.out_channels, prototypes, bias=False)
        self.normalize_prototypes()

    def forward(self, features: Tensor) -> Tensor:
        """(N, D) -> (N, P), not normalised."""
        return self.projector(features)

    def unit_rows(self, features: Tensor) -> Tensor:
        """(N, D) -> (N, P) of unit rows, in float32 at least."""
        outputs = self(features)
        return F.normalize(outputs.to(torch.promote_types(outputs.dtype, torch.float32)))

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

    def spread(self, rows: Tensor) -> Tensor:
        """How far ``rows`` (N, P) of all processes spread, from 0, all equal, to 1; for the log."""
        return feature_std(rows)

    def loss(self, scores: Sequence[Tensor], codes: Sequence[Tensor]) -> dict[str, Tensor]:
        """The swapped prediction of ``codes``, of the first crops, from ``scores`` of all crops, (N, K) each."""
        return {'loss': swapped_prediction(scores, codes, self.temperature)}
