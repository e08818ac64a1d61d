"""k-nearest-neighbour classification of frozen features."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from binssl.evaluation.gather import EvaluationError, FeatureMetric, FeatureSplit
from binssl.registry import METRICS, ConfigError

SIMILARITIES_AT_ONCE = 1 << 25  # 128 MiB in float32


def knn_accuracy(bank: Tensor, bank_labels: Tensor, queries: Tensor, query_labels: Tensor,
                 num_neighbours: int = 20, temperature: float = 0.07) -> float:
    """Share of queries whose class a weighted vote of their neighbours finds (Wu et al., arXiv:1805.01978).

    The ``num_neighbours`` bank samples of highest cosine similarity s vote for their class with weight
    exp(s / temperature).

    Args:
        bank: (N, D) features with known labels.
        bank_labels: (N,) class numbers.
        queries: (M, D) features to classify.
        query_labels: (M,) their true classes.
        num_neighbours: how many vote.
        temperature: small values let only the nearest count.

    Raises:
        EvaluationError: the bank has fewer than ``num_neighbours`` samples.
    """
    if num_neighbours > len(bank):
        raise EvaluationError(f'num_neighbours {num_neighbours} is more than the {len(bank)} bank samples; '
                              'lower it or enlarge the bank')
    classes, bank_targets = bank_labels.unique(return_inverse=True)
    bank, queries = F.normalize(bank), F.normalize(queries)
    correct = 0
    rows = max(1, SIMILARITIES_AT_ONCE // len(bank))
    for chunk, truth in zip(queries.split(rows), query_labels.split(rows), strict=True):
        similarity, nearest = (chunk @ bank.T).topk(num_neighbours)  # (rows, D) x (D, N) -> (rows, k)
        # relative to the nearest: a common factor that keeps exp from overflowing
        weight = ((similarity - similarity[:, :1]) / temperature).exp()
        votes = similarity.new_zeros(len(chunk), len(classes)).scatter_add_(1, bank_targets[nearest], weight)
        correct += int((classes[votes.argmax(1)] == truth).sum())
    return correct / len(queries)


@METRICS.register_module()
class KNNAccuracy(FeatureMetric):
    """Weighted k-NN accuracy as ``knn_top1``, in percent; see :func:`knn_accuracy`.

    Args:
        num_neighbours: how many bank samples vote.
        temperature: of the votes' weights, > 0.
    """

    def __init__(self, num_neighbours: int = 20, temperature: float = 0.07) -> None:
        super().__init__()
        if num_neighbours < 1:
            raise ConfigError(f'num_neighbours is {num_neighbours}; at least 1 must vote')
        if temperature <= 0:
            raise ConfigError(f'temperature is {temperature}; it must be above 0')
        self.num_neighbours, self.temperature = num_neighbours, temperature

    def score_features(self, split: FeatureSplit) -> dict[str, float]:
        """See :class:`FeatureMetric`."""
        accuracy = knn_accuracy(split.bank, split.bank_labels, split.queries, split.query_labels,
                                self.num_neighbours, self.temperature)
        return {'knn_top1': 100 * accuracy}
