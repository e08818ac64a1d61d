"""InfoNCE against a queue (MoCo, arXiv:1911.05722), with MoCo v2's projector (arXiv:2003.04297)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from binssl.core.precision import unit_rows
from binssl.heads.projected import ProjectedHead
from binssl.registry import HEADS


class _InfoNCE(torch.autograd.Function):
    """The loss with its gradient taken on the spot, the queue read once, a chunk of keys at a time.

    Autograd would need the queue in the backward pass, but by then the new keys are written into it; the
    published code copies the whole queue in each step. Here the gradients, (N, D), are all that is kept.
    With m the largest logit so far, ``total`` sums exp(logit - m) and ``mean`` the keys times that; when m
    grows, both are scaled down. A fixed shift of 1 / temperature would underflow below a temperature of 0.025.
    """

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, negatives: Tensor, temperature: Tensor) -> tuple[Tensor, Tensor]:
        scaled = query / temperature
        positive = (scaled * key).sum(dim=1, keepdim=True)
        highest, total, mean = positive, torch.zeros_like(positive), torch.zeros_like(query)
        rank = torch.full((len(query),), len(negatives), device=query.device)
        length = chunk_length(query)
        # two buffers for all chunks: fresh memory would cost the processor a page fault every 4 kB
        buffers = query.new_empty(2, len(query) * min(length, len(negatives)))
        for start in range(0, len(negatives), length):
            chunk = negatives[start : start + length].to(query.dtype)
            logits, lower = buffers[:, : len(query) * len(chunk)].view(2, len(query), len(chunk))
            torch.mm(scaled, chunk.t(), out=logits)  # (N, D) x (D, C) -> (N, C)
            # compared into floats: they are summed faster than booleans, and without error up to 2^24
            rank -= torch.lt(logits, positive, out=lower).sum(dim=1).long()
            before, highest = highest, torch.maximum(highest, logits.amax(dim=1, keepdim=True))
            logits.sub_(highest).exp_()
            shrink = (before - highest).exp_()
            total = total * shrink + logits.sum(dim=1, keepdim=True)
            mean.mul_(shrink).addmm_(logits, chunk)  # (N, C) x (C, D) -> (N, D)
        everything = total + (positive - highest).exp()
        # d loss / d logits = (softmax - one-hot of the positive) / N, and the softmax sums to one
        others = total / everything
        scale = 1 / (temperature * len(query))
        ctx.save_for_backward((mean / everything - others * key) * scale, -others * query * scale)
        ctx.mark_non_differentiable(rank)
        return (everything.log() + highest - positive).mean(), rank

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_loss: Tensor, _: Tensor) -> tuple[Tensor, Tensor, None, None]:
        grad_query, grad_key = ctx.saved_tensors
        return grad_loss * grad_query, grad_loss * grad_key, None, None


def chunk_length(query: Tensor) -> int:
    """Keys a chunk: its logits fit a processor's cache; elsewhere they are many enough to be worth a launch."""
    logits = 2**18 if query.device.type == 'cpu' else 2**22
    return max(64, logits // len(query))


def info_nce(query: Tensor, key: Tensor, negatives: Tensor, temperature: float | Tensor) -> tuple[Tensor, Tensor]:
    """-log softmax of the positive among all similarities, mean over the batch; the rank of each positive.

    The rank counts the negatives that score at least as high as the positive: 0 is a top-1 hit, below 5 a
    top-5 hit. Computed in float32 at least, also under autocast: a probability of 1/65536 over a batch of 256
    is below what float16 can hold. ``negatives`` is not copied, may be overwritten before the backward pass
    and gets no gradient.

    Shape: (N, D), (N, D), (K, D) -> (), (N,) of int64. Unit rows are usual, not needed.
    """
    dtype = torch.promote_types(query.dtype, torch.float32)
    with torch.autocast(query.device.type, enabled=False):
        scale = torch.as_tensor(temperature, dtype=dtype, device=query.device)
        return _InfoNCE.apply(query.to(dtype), key.to(dtype), negatives, scale)


def hit_rates(rank: Tensor) -> dict[str, Tensor]:
    """``top1`` and ``top5``: share of ranks (N,), see :func:`info_nce`, that are 0, or below 5, in percent."""
    return {f'top{places}': 100 * (rank < places).to(torch.float32).mean() for places in (1, 5)}


def info_nce_with_rates(
    query: Tensor, key: Tensor, negatives: Tensor, temperature: float | Tensor
) -> dict[str, Tensor]:
    """:func:`info_nce` as ``loss``, with ``top1`` and ``top5``: how often the positive is among the best, in percent.

    Shape: (N, D), (N, D), (K, D) -> three of ().
    """
    loss, rank = info_nce(query, key, negatives, temperature)
    return {'loss': loss, **hit_rates(rank)}


@HEADS.register_module()
class ContrastiveHead(ProjectedHead):
    """A projector and the InfoNCE loss on its normalised outputs.

    Shape: (N, D) -> (N, P), not normalised.

    Args:
        projector: config of a neck; MoCo v2's is an MLP ``widths=[D, 128], norm=None``.
        temperature: of the softmax; may be scheduled.

    Attributes:
        embedding_channels: P, the width of :meth:`embed`.

    Raises:
        ConfigError: temperature <= 0.
    """

    temperature: Tensor

    def __init__(self, projector: dict, temperature: float = 0.2) -> None:
        super().__init__(projector)
        self.embedding_channels = self.out_channels
        self.keep_scheduled('temperature', temperature, 0, math.inf, open_low=True)

    def embed(self, features: Tensor) -> Tensor:
        """(N, D) -> (N, P) of unit rows, in float32 at least."""
        return unit_rows(self(features))

    def contrast(self, query: Tensor, key: Tensor, negatives: Tensor) -> dict[str, Tensor]:
        """:func:`info_nce_with_rates` of ``query`` and ``key`` (N, P) with ``negatives`` (K, P), all of unit rows."""
        return info_nce_with_rates(query, key, negatives, self.temperature)
