"""Linear classifiers with cross-entropy: one, or one for each of several learning rates."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from binssl.core.initialisation import start_linear_layers
from binssl.core.precision import at_least_float32
from binssl.heads.distillation import distillation
from binssl.registry import HEADS, ConfigError


def cross_entropy(logits: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean over the batch of ``-t . log_softmax(logits)``, in float32 at least.

    t is the row of ``targets`` (N, classes), or 1 for the label where they are (N,); smoothing s makes of it
    ``(1 - s) t + s / classes``.

    Shape: (N, classes), (N,) or (N, classes) -> ().
    """
    logits = at_least_float32(logits)
    if targets.is_floating_point():
        targets = targets.to(logits.dtype)
    return F.cross_entropy(logits, targets, label_smoothing=label_smoothing)


@HEADS.register_module()
class LinearHead(nn.Module):
    """One linear layer and its cross-entropy.

    Shape: (N, in_channels) -> (N, num_classes).

    Args:
        num_classes: at least 2. A training config may say None: tools/train.py writes the training data's number there.
        in_channels: width of the features.
        label_smoothing: share of the target that is spread over all classes, in [0, 1).
        norm: None; or 'BN', a BatchNorm without weights of its own before the layer, as MAE's probe has it
            (arXiv:2111.06377): features of any scale and mean then train at usual rates. Linear when training is over.
        init: how the layer starts, see :func:`binssl.core.initialisation.start_linear_layers`; 'normal' is of MoCo's
            linear protocol.

    Raises:
        ConfigError: a number outside its range, another norm or init.
    """

    def __init__(
        self,
        num_classes: int | None,
        in_channels: int,
        label_smoothing: float = 0.0,
        norm: str | None = None,
        init: str = 'normal',
    ) -> None:
        super().__init__()
        if num_classes is None:
            raise ConfigError(
                "head.num_classes is None, the training data's number, which tools/train.py fills in; "
                'here no training data are read: give the number'
            )
        if num_classes < 2:
            raise ConfigError(f'num_classes {num_classes} of LinearHead must be at least 2')
        if not 0 <= label_smoothing < 1:
            raise ConfigError(f'label_smoothing {label_smoothing} of LinearHead must lie in [0, 1)')
        if norm not in (None, 'BN'):
            raise ConfigError(f"norm {norm!r} of LinearHead is unknown: take 'BN' or None")
        self.in_channels, self.out_channels = in_channels, num_classes
        self.label_smoothing = label_smoothing
        self.norm = nn.Identity() if norm is None else nn.BatchNorm1d(in_channels, affine=False)
        self.fc = nn.Linear(in_channels, num_classes)
        start_linear_layers(self, init)

    def forward(self, features: Tensor) -> Tensor:
        """(N, in_channels) -> logits (N, num_classes)."""
        return self.fc(self.norm(features))

    def loss(self, logits: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Smoothed cross-entropy of ``logits`` (N, num_classes), and their :meth:`rates`.

        Args:
            logits: (N, num_classes).
            targets: labels (N,), or soft ones (N, num_classes) whose rows sum to 1.
        """
        return {'loss': cross_entropy(logits, targets, self.label_smoothing), **self.rates(logits, targets)}

    def distill(self, logits: Tensor, answers: Tensor) -> dict[str, Tensor]:
        """:func:`distillation` of ``logits`` from a teacher's ``answers``, (N, num_classes) both, at temperature 1."""
        return distillation(logits, answers, 1.0, 1.0)

    def rates(self, logits: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Share of rows, in percent, whose class is the first (``top1``) or among the first five (``top5``).

        ``top5`` is given for five classes and more. The class of a soft target is its largest entry.
        """
        labels = targets if targets.dim() == 1 else targets.argmax(dim=1)
        places = min(5, self.out_channels)
        hits = logits.detach().topk(places).indices == labels[:, None]  # (N, places)
        counted = {f'top{k}': hits[:, :k].any(dim=1) for k in (1, 5) if k <= places}
        return {name: 100 * hit.to(torch.float32).mean() for name, hit in counted.items()}


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
        if not rates or len(set(rates)) < len(rates):
            raise ConfigError(f'rates {rates!r} of LinearRates must be a list of learning rates, each once')
        for rate in rates:
            if not 0 < rate < math.inf:
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
