"""Earlier keys as negatives (MoCo, arXiv:1911.05722)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from binssl.registry import ConfigError


class KeyQueue(nn.Module):
    """The last ``length`` keys, one a row, written in place over the oldest; they start as random unit rows.

    Rows lie as (K, P), not (P, K) as published: a step writes a whole stretch of memory, and the loss reads rows.
    Keys and pointer are buffers, so that a resumed run goes on with the same negatives. The rows at random come from
    torch's generator, which every process has seeded alike.

    Args:
        length: K, keys kept; a multiple of the global batch.
        channels: P, width of a key.

    Raises:
        ConfigError: length < 1.
    """

    keys: Tensor
    pointer: Tensor

    def __init__(self, length: int, channels: int) -> None:
        super().__init__()
        if not isinstance(length, int) or length < 1:
            raise ConfigError(f'queue_length {length!r} must be at least 1, a whole number')
        self.length = length
        self.register_buffer('keys', F.normalize(torch.randn(length, channels)))
        self.register_buffer('pointer', torch.zeros((), dtype=torch.int64))

    def check_global_batch(self, global_batch: int) -> None:
        """Raise a ConfigError unless ``global_batch`` keys a step fill the queue exactly."""
        if self.length % global_batch:
            raise ConfigError(
                f'queue_length {self.length} must be a multiple of the global batch {global_batch}; '
                'change either in the config'
            )

    @torch.no_grad()
    def push(self, keys: Tensor) -> None:
        """Write ``keys`` (N, P), the same on every process, over the oldest rows."""
        # rows are counted on the device: reading the pointer would make the host wait
        rows = (self.pointer + torch.arange(len(keys), device=keys.device)) % self.length
        self.keys.index_copy_(0, rows, keys.to(self.keys.dtype))
        self.pointer.add_(len(keys)).remainder_(self.length)
