"""From samples to a batch."""

from __future__ import annotations

from typing import Any

import mmengine.registry as roots
from torch.utils.data import default_collate

from binssl.registry import FUNCTIONS


@roots.FUNCTIONS.register_module()  # the Runner looks collate functions up in the root, whatever the scope
@FUNCTIONS.register_module()
def whole_batch(batch: dict | list[dict]) -> dict[str, Any]:
    """The batch as it is where the data set made it whole (``__getitems__``), else its samples, stacked.

    ``images``: a list of V uint8 tensors (3, H, W) a sample becomes a list of V tensors (N, 3, H, W);
    ``labels`` and ``indices`` become int64 (N,), ``keys`` int64 (N, V).
    """
    return batch if isinstance(batch, dict) else default_collate(batch)
