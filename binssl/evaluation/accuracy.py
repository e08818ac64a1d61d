"""Top-k accuracy of a classifier's scores."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from binssl.evaluation.gather import EvaluationError, GatheredMetric
from binssl.registry import METRICS, ConfigError


def topk_hits(scores: Tensor, labels: Tensor, topk: Sequence[int] = (1,)) -> Tensor:
    """Whether the true class is among the k highest scores, for each k.

    Args:
        scores: (N, C) logits or probabilities.
        labels: (N,) true classes.
        topk: the k.

    Returns:
        (N, len(topk)), bool.

    Raises:
        EvaluationError: a k above the number of classes, labels outside them, or scores that are not finite.
    """
    num_classes = scores.shape[1]
    outside = (labels < 0) | (labels >= num_classes)
    if max(topk) > num_classes:
        raise EvaluationError(f'topk {max(topk)} is more than the {num_classes} classes; lower it')
    if outside.any():
        raise EvaluationError(f'label {int(labels[outside][0])} is outside the {num_classes} classes scored')
    if not scores.isfinite().all():
        raise EvaluationError('the scores are not finite: the network diverged or its weights are damaged')
    found = (scores.topk(max(topk)).indices == labels[:, None]).cumsum(1).bool()  # (N, max k)
    return torch.stack([found[:, k - 1] for k in topk], 1)


@METRICS.register_module()
class Accuracy(GatheredMetric):
    """Top-k accuracy as ``top1``, ``top5``, ..., in percent; of a model whose predictions have ``scores``.

    Of classifiers of several learning rates (LinearRates), scores (N, rates, C), these are the numbers of the best
    rate by the first k, the lowest among equals; ``best_lr`` is that rate, and ``top1_lr0.1``, ... are every one's.
    The best is chosen on the images that are scored: a checkpoint holds the heads of all rates, and ``tools/test.py``
    chooses among them anew.

    Args:
        topk: the k to report.
    """

    needs = ('scores', 'labels')
    may_read = ('learning_rates',)

    def __init__(self, topk: Sequence[int] = (1,)) -> None:
        super().__init__()
        if not topk or min(topk) < 1:
            raise ConfigError(f'topk is {topk!r}; give one or more numbers of at least 1')
        self.topk = tuple(topk)

    def keep(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Only the hits: the scores of 1000 classes need not be kept."""
        scores, rates = batch['scores'], batch.get('learning_rates')
        kept = {'indices': batch['indices']}
        if rates is None:
            return dict(kept, hits=topk_hits(scores, batch['labels'], self.topk))
        each = [topk_hits(one, batch['labels'], self.topk) for one in scores.unbind(1)]
        return dict(kept, hits=torch.stack(each, 1), learning_rates=rates)  # (N, rates, k)

    def score(self, samples: dict[str, Tensor]) -> dict[str, float]:
        """See :class:`GatheredMetric`."""
        shares = 100 * samples['hits'].double().mean(0)
        if 'learning_rates' not in samples:
            return self._named(shares)
        rates, order = samples['learning_rates'][0].sort()
        shares = shares[order]  # (rates, k)
        best = int(shares[:, 0].argmax())  # the first of equals
        named = {**self._named(shares[best]), 'best_lr': float(rates[best])}
        for rate, row in zip(rates.tolist(), shares, strict=True):
            named |= self._named(row, f'_lr{rate:g}')
        return named

    def _named(self, shares: Tensor, of: str = '') -> dict[str, float]:
        return {f'top{k}{of}': share for k, share in zip(self.topk, shares.tolist(), strict=True)}
