"""Outputs as a loss compares them: in float32 at least, and usually of unit length."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def at_least_float32(outputs: Tensor) -> Tensor:
    """``outputs`` as they are, or in float32 where autocast gave them in half precision."""
    return outputs.to(torch.promote_types(outputs.dtype, torch.float32))


def unit_rows(outputs: Tensor) -> Tensor:
    """Every row divided by its length, in float32 at least. Shape: (N, P) -> same."""
    return F.normalize(at_least_float32(outputs))
