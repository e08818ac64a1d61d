"""Outputs as losses and reports look at them, in float32 at least, and averages of weights under loss scaling."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.dist import all_reduce
from torch import Tensor
from torch.nn import functional as F


def at_least_float32(outputs: Tensor) -> Tensor:
    """``outputs`` as they are, or in float32 where autocast gave them in half precision."""
    return outputs.to(torch.promote_types(outputs.dtype, torch.float32))


def same_precision(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Both in one dtype, float32 at least: under autocast sums over many classes are not for half precision."""
    dtype = torch.promote_types(torch.promote_types(one.dtype, other.dtype), torch.float32)
    return one.to(dtype), other.to(dtype)


def unit_rows(outputs: Tensor) -> Tensor:
    """Every row divided by its length, in float32 at least. Shape: (N, P) -> same."""
    return F.normalize(at_least_float32(outputs))


@torch.no_grad()
def feature_std(features: Tensor, here_only: bool = False) -> Tensor:
    """Spread of the normalised rows, from 0, all equal, to 1, over the whole sphere (SimSiam, arXiv:2011.10566).

    ``sqrt(P)`` times the mean over channels of the standard deviation over all processes' rows; the paper draws it
    without the factor. Every process must call it, with equally many rows, unless those of this one count alone.

    Shape: (N, P) -> (), detached.
    """
    rows = unit_rows(features.detach())
    # (P,) and (P,) -> (2, P): one message to the other processes
    moments = torch.stack([rows.mean(dim=0), rows.square().mean(dim=0)])
    if not here_only:
        all_reduce(moments, op='mean')
    variance = (moments[1] - moments[0].square()).clamp(min=0)
    return variance.sqrt().mean() * rows.shape[1] ** 0.5


@torch.no_grad()
def follow(averages: Sequence[Tensor], weights: Sequence[Tensor], share: float, step_taken: Tensor | None) -> None:
    """``averages <- (1 - share) averages + share weights`` after an optimiser step, in place.

    Args:
        averages, weights: as many tensors of the same shapes.
        share: in [0, 1].
        step_taken: 0 where loss scaling skipped the step, which leaves the averages alone, and 1 elsewhere: read on its
            device, so that nothing waits; None without loss scaling.
    """
    own, followed = list(averages), list(weights)
    if step_taken is None:
        torch._foreach_lerp_(own, followed, share)
    else:
        torch._foreach_lerp_(own, followed, [(share * step_taken).to(average) for average in own])
