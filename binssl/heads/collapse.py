"""How far the rows of a batch spread: the first thing to look at where a loss could be met by a constant."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from binssl.core.precision import unit_rows


@torch.no_grad()
def feature_std(features: Tensor) -> Tensor:
    """Spread of the normalised rows, from 0, all equal, to 1, over the whole sphere (SimSiam, arXiv:2011.10566).

    ``sqrt(P)`` times the mean over channels of the standard deviation over all processes' rows; the paper draws it
    without the factor. Every process must call it, with equally many rows.

    Shape: (N, P) -> (), detached.
    """
    rows = unit_rows(features.detach())
    # (P,) and (P,) -> (2, P): one message to the other processes
    moments = torch.stack([rows.mean(dim=0), rows.square().mean(dim=0)])
    all_reduce(moments, op='mean')
    variance = (moments[1] - moments[0].square()).clamp(min=0)
    return variance.sqrt().mean() * rows.shape[1] ** 0.5
