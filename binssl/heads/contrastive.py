"""InfoNCE against a queue (MoCo, arXiv:1911.05722), with MoCo v2's projector (arXiv:2003.04297)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from binssl.heads.scheduled import keep_scheduled
from binssl.registry import HEADS, NECKS


def contrastive_logits(query: Tensor, key: Tensor, negatives: Tensor, temperature: float | Tensor) -> Tensor:
    """Similarities over the temperature; the positive comes first.

    Shape: (N, D), (N, D), (K, D), all of unit rows -> (N, 1 + K).
    """
    positive = (query * key).sum(dim=1, keepdim=True)
    # (N, D) x (D, K) -> (N, K)
    return torch.cat([positive, query @ negatives.t()], dim=1) / temperature


class _InfoNCE(torch.autograd.Function):
    """The loss with its gradient taken on the spot.

    Autograd would need the queue in the backward pass, but by then the new keys are written into it; the
    published code copies the whole queue in each step. Here the gradients, (N, D), are all that is kept.
    """

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, negatives: Tensor,
                temperature: Tensor) -> tuple[Tensor, Tensor]:
        logits = contrastive_logits(query, key, negatives, temperature)
        log_probabilities = logits.log_softmax(dim=1)
        loss = -log_probabilities[:, 0].mean()
        # d loss / d logits = (softmax - one-hot of column 0) / N
        slope = log_probabilities.exp()
        slope[:, 0] -= 1
        slope = slope / (temperature * len(query))
        positive, negative = slope[:, :1], slope[:, 1:]
        # (N, K) x (K, D) -> (N, D)
        ctx.save_for_backward(positive * key + negative @ negatives, positive * query)
        top1 = 100 * (logits[:, 0] >= logits.amax(dim=1)).to(loss.dtype).mean()
        ctx.mark_non_differentiable(top1)
        return loss, top1

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_loss: Tensor, _: Tensor) -> tuple[Tensor, Tensor, None, None]:
        grad_query, grad_key = ctx.saved_tensors
        return grad_loss * grad_query, grad_loss * grad_key, None, None


def info_nce(query: Tensor, key: Tensor, negatives: Tensor,
             temperature: float | Tensor) -> tuple[Tensor, Tensor]:
    """-log softmax of the positive among all similarities, mean over the batch; its top-1 rate in percent.

    Computed in float32 at least, also under autocast: a probability of 1/65536 over a batch of 256 is below
    what float16 can hold. ``negatives`` may be overwritten before the backward pass; it gets no gradient.

    Shape: (N, D), (N, D), (K, D), all of unit rows -> two of ().
    """
    dtype = torch.promote_types(query.dtype, torch.float32)
    with torch.autocast(query.device.type, enabled=False):
        scale = torch.as_tensor(temperature, dtype=dtype, device=query.device)
        return _InfoNCE.apply(query.to(dtype), key.to(dtype), negatives.to(dtype), scale)


@HEADS.register_module()
class ContrastiveHead(nn.Module):
    """A projector and the InfoNCE loss on its normalised outputs.

    Shape: (N, D) -> (N, P), not normalised.

    Args:
        projector: config of a neck; MoCo v2's is an MLP ``widths=[D, 128], norm=None``.
        temperature: of the softmax; may be scheduled.

    Raises:
        ConfigError: temperature <= 0.
    """

    temperature: Tensor

    def __init__(self, projector: dict, temperature: float = 0.2) -> None:
        super().__init__()
        self.projector = NECKS.build(projector)
        self.in_channels, self.out_channels = self.projector.in_channels, self.projector.out_channels
        keep_scheduled(self, 'temperature', temperature, 0, math.inf, open_low=True)

    def forward(self, features: Tensor) -> Tensor:
        """(N, D) -> (N, P), not normalised."""
        return self.projector(features)

    def embed(self, features: Tensor) -> Tensor:
        """(N, D) -> (N, P) of unit rows, in float32 at least."""
        outputs = self(features)
        return F.normalize(outputs.to(torch.promote_types(outputs.dtype, torch.float32)))

    def loss(self, query: Tensor, key: Tensor, negatives: Tensor) -> dict[str, Tensor]:
        """InfoNCE and its top-1 rate; ``query``, ``key`` (N, P), ``negatives`` (K, P), all of unit rows."""
        loss, top1 = info_nce(query, key, negatives, self.temperature)
        return {'loss': loss, 'top1': top1}
