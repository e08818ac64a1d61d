"""How often the positive is among the best."""

from __future__ import annotations

import torch
from torch import Tensor


def hit_rates(rank: Tensor) -> dict[str, Tensor]:
    """Share of rows, in percent, whose positive has no, or fewer than five, negatives that score as high.

    Args:
        rank: (N,), how many negatives score at least as high as the positive.

    Returns:
        ``top1`` and ``top5``, () each, float32.
    """
    return {f'top{places}': 100 * (rank < places).to(torch.float32).mean() for places in (1, 5)}
