"""Contrast against a queue of earlier keys (MoCo, arXiv:1911.05722): the queue, shuffled BatchNorm, one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from mmengine.dist import all_gather, broadcast, get_rank, get_world_size
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
        if length < 1:
            raise ConfigError(f'queue_length {length!r} must be at least 1, a whole number')
        self.length = length
        self.register_buffer('keys', F.normalize(torch.randn(length, channels)))
        self.register_buffer('pointer', torch.zeros((), dtype=torch.int64))

    def check_batch(self, images: int, processes: int) -> None:
        """Raise a ConfigError unless passes over ``images`` on each of the processes fill the queue exactly."""
        if self.length % (images * processes):
            raise ConfigError(
                f'queue_length {self.length} must be a multiple of the global batch {images * processes} '
                f'({images} x {processes} process(es)); change either in the config'
            )

    @torch.no_grad()
    def push(self, keys: Tensor) -> None:
        """Write ``keys`` (N, P), the same on every process, over the oldest rows."""
        # rows are counted on the device: reading the pointer would make the host wait
        rows = (self.pointer + torch.arange(len(keys), device=keys.device)) % self.length
        self.keys.index_copy_(0, rows, keys.to(self.keys.dtype))
        self.pointer.add_(len(keys)).remainder_(self.length)


class Keys(NamedTuple):
    """Keys of this process, (N, P), and those of all processes, (W N, P), in the order of the processes."""

    own: Tensor
    everyone: Tensor


@torch.no_grad()
def encode_keys(encode: Callable[[Tensor], Tensor], images: Tensor, shuffled: bool) -> Keys:
    """Encode the keys of all processes, in batches of mixed origin (shuffled BatchNorm, section 3.3 of the paper).

    A BatchNorm whose batch is that of its process gives away which query and key were normalised together. With
    ``shuffled`` each process encodes a random share of everyone's images; the keys are put back in order. With one
    process there is nothing to mix, and with synchronised BatchNorms nothing to give away.

    Args:
        encode: (N, C, H, W) -> (N, P).
        images: this process's, (N, C, H, W), as many as every other's.
        shuffled: whether to mix them.
    """
    if shuffled and get_world_size() > 1:
        mixed, order = shuffle(images)
        everyone = restore(encode(mixed), order)
        return Keys(everyone.chunk(get_world_size())[get_rank()], everyone)
    own = encode(images)
    return Keys(own, torch.cat(all_gather(own)))


def shuffle(images: Tensor) -> tuple[Tensor, Tensor]:
    """This process's share (N, ...) of all processes' images (N, ...) in a random order, and that order (W N,)."""
    everyone = torch.cat(all_gather(images.contiguous()))
    # every process draws, but only the first one's order counts: a run seeds each by its rank
    order = torch.randperm(len(everyone), device=images.device)
    broadcast(order, src=0)
    share = order.chunk(get_world_size())[get_rank()]
    # in the images' memory format, which the gathering lost
    return torch.empty_like(images).copy_(everyone[share]), order


def restore(keys: Tensor, order: Tensor) -> Tensor:
    """All processes' keys (W N, P) in the images' order, from each process's keys (N, P) of its share of ``order``."""
    mixed = torch.cat(all_gather(keys.contiguous()))
    return torch.empty_like(mixed).index_copy_(0, order, mixed)


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
    queue.check_batch(len(query), get_world_size())
    keys = encode_keys(encode, key_view, shuffled)
    losses = contrast(query, keys.own, queue.keys)
    queue.push(keys.everyone)
    return losses
