"""Keys encoded in batches of mixed origin (shuffled BatchNorm, MoCo, arXiv:1911.05722, section 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from mmengine.dist import all_gather, broadcast, get_rank, get_world_size
from torch import Tensor


class Keys(NamedTuple):
    """Keys of this process, (N, P), and those of all processes, (W N, P), in the order of the processes."""

    own: Tensor
    everyone: Tensor


@torch.no_grad()
def encode_keys(encode: Callable[[Tensor], Tensor], images: Tensor, shuffled: bool) -> Keys:
    """Encode the keys of all processes.

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
