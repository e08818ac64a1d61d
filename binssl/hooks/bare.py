"""The model itself, below what joins processes."""

from __future__ import annotations

from typing import Any


def bare(model: Any) -> Any:
    """What DistributedDataParallel wraps, or the model as it is."""
    return getattr(model, 'module', model)
