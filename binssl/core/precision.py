"""Outputs as losses and reports look at them: in float32 at least, of unit length, and how far they spread."""

from __future__ import annotations

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
