"""How much a classifier's answers still say about the image."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from binssl.core.precision import at_least_float32


@torch.no_grad()
def mean_entropy(logits: Tensor, temperature: float | Tensor) -> Tensor:
    """H(p) in nats, p = softmax(logits / T), mean over the batch: from 0, one class, to ln C, all alike.

    Shape: (N, C) -> (), detached, in float32 at least.
    """
    return torch.special.entr(_probabilities(logits, temperature)).sum(dim=1).mean()


@torch.no_grad()
def mutual_information(logits: Tensor, temperature: float | Tensor) -> Tensor:
    """I(image; class) = H(mean p) - mean H(p) in nats, p = softmax(logits / T), over all processes' images.

    0 where every image gets the same answer, as in the trivial solution of BURN's joint loss; at most the log
    of the number of images, or of classes. Every process must call it, with equally many images.

    Shape: (N, C) -> (), detached.
    """
    probabilities = _probabilities(logits, temperature)
    entropy = torch.special.entr(probabilities).sum(dim=1).mean()
    # (C,) and () -> (C + 1,): one message to the other processes
    means = torch.cat([probabilities.mean(dim=0), entropy.view(1)])
    all_reduce(means, op='mean')
    return torch.special.entr(means[:-1]).sum() - means[-1]


def _probabilities(logits: Tensor, temperature: float | Tensor) -> Tensor:
    return (at_least_float32(logits.detach()) / temperature).softmax(dim=1)
