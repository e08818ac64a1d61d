"""Warnings of collapse: features that are all alike, classes that say nothing of the image."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from binssl.core.precision import feature_std
from binssl.core.processes import unwrap
from binssl.hooks.watch import WarningHook, WatchHook, check_share
from binssl.registry import HOOKS, ConfigError


def effective_rank(features: Tensor) -> float:
    """exp of the entropy of the singular values, normalised to sum 1 (RankMe, arXiv:2210.02885).

    Between 1 (all features are multiples of one) and min(N, D). The values are the roots of the eigenvalues of the
    smaller Gram matrix: take float64. Shape: (N, D).
    """
    rows, columns = features.shape
    gram = features @ features.T if rows <= columns else features.T @ features
    values = torch.linalg.eigvalsh(gram).clamp(min=0).sqrt()
    shares = values / values.sum()
    return float(torch.special.entr(shares).sum().exp())


@HOOKS.register_module()
class FeatureSpreadHook(WatchHook):
    """Looks at the neck's first output, of the first view or of SwAV's global crops, in one iteration of ``interval``.

    ``feature_spread`` and ``feature_rank`` are :func:`feature_std` and :func:`effective_rank` of it, computed on the
    CPU in float64. They are watched in real-valued networks too, where features collapse as well.

    Args:
        interval: iterations between two looks.
        images: so many of the batch are looked at.
        least_spread: warn below it.
        least_rank: warn below it; rank 1 is one direction for all images.

    Raises:
        ConfigError: images < 2, a spread that is no share, a rank below 0.
    """

    def __init__(
        self, interval: int = 50, images: int = 256, least_spread: float = 0.05, least_rank: float = 1.5
    ) -> None:
        super().__init__(interval)
        if images < 2:
            raise ConfigError(f'images is {images!r}; it must be a whole number of at least 2')
        if not least_rank >= 0:
            raise ConfigError(f'least_rank is {least_rank!r}; it must be a number of at least 0')
        self.images, self.least_rank = images, least_rank
        self.least_spread = check_share('least_spread', least_spread)
        self._hooked: Any = None
        self._features: Tensor | None = None

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        neck = getattr(unwrap(runner.model), 'neck', None)
        if neck is not None and self.looks(runner):
            self._hooked = neck.register_forward_hook(self._keep)

    def _keep(self, neck: Any, inputs: Any, features: Tensor) -> None:
        if self._features is None:
            self._features = features[: self.images].detach().clone()  # a head may work in place

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if self._hooked is None:
            return
        self._hooked.remove()
        self._hooked = None
        features, self._features = self._features, None
        if features is None or len(features) < 2 or not torch.isfinite(features).all():
            return  # where a number is not finite, the watch for NaN speaks
        features = features.flatten(1).to('cpu', torch.float64)
        spread = float(feature_std(features, here_only=True))
        rank = effective_rank(features) if features.any() else 1.0
        self.report(feature_spread=spread, feature_rank=rank)
        self.judge(
            runner,
            'collapse',
            spread < self.least_spread or rank < self.least_rank,
            f'the features of different images are nearly the same: spread {spread:.3f} (1 is even, below '
            f'{self.least_spread} is warned of), effective rank {rank:.1f} (below {self.least_rank}). The '
            'representation collapses. Try a lower learning rate or a longer warm-up; and, as far as the method has '
            'them, a predictor with a higher rate, a momentum of the teacher nearer to 1, a temperature nearer to 0.2, '
            'or another teacher',
        )


@HOOKS.register_module()
class InformationHook(WarningHook):
    """Warns when the target's classes say nothing about the image any more (BURN, arXiv:2110.08851).

    The joint loss is also solved by two constant classifiers; the mutual information of image and class then
    goes to 0.

    Args:
        least_nats: below this much ``information`` in a report, warn.
    """

    def __init__(self, least_nats: float = 0.1) -> None:
        super().__init__()
        self.least_nats = least_nats

    def after_report(self, runner: Any, values: dict[str, float]) -> None:
        information = values.get('information')
        if information is None:
            return
        self.judge(
            runner,
            'information',
            not information >= self.least_nats,
            f'the mutual information of image and class fell to {information:.3f} nat (below '
            f'{self.least_nats}): both classifiers are becoming constant and the KL term teaches '
            'nothing. Try train_target_head=False, or a lower rate for the target head '
            '(optim_wrapper.paramwise_cfg=dict(lr_mult=dict(target_head=0.01)))',
        )
