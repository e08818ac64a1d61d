"""One step of instance discrimination against a queue (MoCo, arXiv:1911.05722)."""

from __future__ import annotations

from collections.abc import Callable

from mmengine.dist import get_world_size
from torch import Tensor

from binssl.algorithms.key_queue import KeyQueue
from binssl.algorithms.shuffle import encode_keys


def contrast_with_queue(
    query: Tensor,
    key_view: Tensor,
    encode: Callable[[Tensor], Tensor],
    queue: KeyQueue,
    contrast: Callable[[Tensor, Tensor, Tensor], dict[str, Tensor]],
    shuffled: bool,
) -> dict[str, Tensor]:
    """Contrast queries with their keys, the negatives from ``queue``, which takes the keys in afterwards.

    Args:
        query: embeddings of one view, (N, P).
        key_view: the other view, (N, C, H, W).
        encode: the teacher's: (N, C, H, W) -> embeddings (N, P).
        queue: of earlier keys; it gets those of all processes.
        contrast: the head's: (query, key, negatives) -> its losses, which are returned.
        shuffled: whether the key images are mixed over the processes, see :func:`encode_keys`.

    Raises:
        ConfigError: the global batch does not divide the queue.
    """
    queue.check_global_batch(len(query) * get_world_size())
    keys = encode_keys(encode, key_view, shuffled)
    losses = contrast(query, keys.own, queue.keys)
    queue.push(keys.everyone)
    return losses
