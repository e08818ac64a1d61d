"""Several learning rates of linear evaluation in one pass over the data."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from binssl.heads.linear import LinearHead
from binssl.registry import HEADS, ConfigError


@HEADS.register_module()
class LinearRates(nn.Module):
    """One LinearHead for each of several learning rates, on the same features of a frozen trunk.

    The heads start alike, their losses are added, and each is a group of the optimiser with its own rate
    (:meth:`own_rates`), so that every head becomes what a run of its rate alone makes of a LinearHead: the trunk,
    which costs nearly all, is run once. The rate is then chosen as papers do, by the accuracy on the validation images.

    Shape: (N, in_channels) -> (N, rates, num_classes).

    Args:
        rates: positive, each once; they stand for ``optim_wrapper.optimizer.lr``, and schedules scale them alike.
        num_classes, in_channels, label_smoothing, norm: as of :class:`LinearHead`.

    Raises:
        ConfigError: no rate, one that is not positive, one given twice, or what LinearHead refuses.
    """

    def __init__(
        self,
        rates: Sequence[float],
        num_classes: int | None,
        in_channels: int,
        label_smoothing: float = 0.0,
        norm: str | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(rates, (list, tuple)) or not rates or len(set(rates)) < len(rates):
            raise ConfigError(f'rates {rates!r} of LinearRates must be a list of learning rates, each once')
        for rate in rates:
            if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 < rate < math.inf:
                raise ConfigError(f'rate {rate!r} of LinearRates must be a positive number')
        first = LinearHead(num_classes, in_channels, label_smoothing, norm)
        self.learning_rates = tuple(float(rate) for rate in rates)
        self.heads = nn.ModuleList([first, *(copy.deepcopy(first) for _ in rates[1:])])
        self.in_channels, self.out_channels = first.in_channels, first.out_channels

    def own_rates(self) -> dict[str, float]:
        """The learning rate of each part, by the part's name."""
        return {f'heads.{place}': rate for place, rate in enumerate(self.learning_rates)}

    def forward(self, features: Tensor) -> Tensor:
        """(N, in_channels) -> logits of every head (N, rates, num_classes)."""
        return torch.stack([head(features) for head in self.heads], dim=1)

    def loss(self, logits: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """The sum of the heads' losses.

        Args:
            logits: (N, rates, num_classes).
            targets: labels (N,), or soft ones (N, num_classes) whose rows sum to 1.

        Returns:
            ``loss``; for the log ``loss_lr0.1`` and ``top1_lr0.1`` of each rate, and ``top1``, the best of them.
        """
        names = [f'lr{rate:g}' for rate in self.learning_rates]
        each = [head.loss(logits[:, place], targets) for place, head in enumerate(self.heads)]  # type: ignore[operator]
        losses, top1 = (torch.stack([one[key] for one in each]) for key in ('loss', 'top1'))
        logged = {f'loss_{name}': loss.detach() for name, loss in zip(names, losses.unbind(), strict=True)}
        logged |= {f'top1_{name}': share for name, share in zip(names, top1.unbind(), strict=True)}
        return {'loss': losses.sum(), 'top1': top1.max(), **logged}
