"""Linear classification of frozen features: from all labels, and from a few."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from binssl.evaluation.gather import EvaluationError, FeatureMetric, FeatureSplit
from binssl.registry import METRICS, ConfigError


def fit_logistic(
    features: Tensor, targets: Tensor, num_classes: int, l2: float, max_iterations: int = 300
) -> tuple[Tensor, Tensor]:
    """Multinomial logistic regression by full-batch L-BFGS: always the same result, no learning rate.

    Minimises ``mean_i -log softmax(W x_i + b)[y_i] + l2/2 |W|^2``, which is scikit-learn's objective with
    C = 1 / (l2 N).

    Args:
        features: (N, D), best of float64.
        targets: (N,) in 0..num_classes-1.
        num_classes: K.
        l2: weight of the penalty; the bias has none.
        max_iterations: of L-BFGS; it stops earlier when the gradient is below 1e-6.

    Returns:
        Weight (K, D) and bias (K,).
    """
    weight = features.new_zeros(num_classes, features.shape[1], requires_grad=True)
    bias = features.new_zeros(num_classes, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=max_iterations,
        history_size=20,
        tolerance_grad=1e-6,
        tolerance_change=1e-10,
        line_search_fn='strong_wolfe',
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(F.linear(features, weight, bias), targets) + l2 / 2 * weight.square().sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)
    return weight.detach(), bias.detach()


def linear_accuracy(
    bank: Tensor, bank_labels: Tensor, queries: Tensor, query_labels: Tensor, l2: float = 1e-3
) -> float:
    """Share of queries that a logistic regression on the bank classifies rightly.

    Features (N, D) and (M, D) are standardised by the bank's mean and deviation, in float64; labels (N,) and (M,) are
    class numbers; ``l2``: see :func:`fit_logistic`.
    """
    bank, queries = standardise(bank, queries)
    return _accuracy_of_fit(bank, bank_labels, queries, query_labels, l2)


def few_shot_accuracy(
    bank: Tensor,
    bank_labels: Tensor,
    queries: Tensor,
    query_labels: Tensor,
    labels_per_class: int = 1,
    draws: int = 20,
    seed: int = 0,
    l2: float = 1e-3,
) -> float:
    """Mean share of queries classified rightly from ``labels_per_class`` random bank samples per class.

    Features are centred and brought to one common scale by the whole bank, which needs no labels; with so few
    labels a scale per feature would only lift noise (raw digits, 1 label a class: 0.57 against 0.62). Each
    draw has a generator of its own, seeded by (seed, draw): every network is judged on the same samples.

    Raises:
        EvaluationError: a class has fewer samples than are drawn.
    """
    classes, counts = bank_labels.unique(return_counts=True)
    if int(counts.min()) < labels_per_class:
        raise EvaluationError(
            f'class {int(classes[counts.argmin()])} has {int(counts.min())} bank samples, '
            f'fewer than labels_per_class {labels_per_class}'
        )
    bank, queries = standardise(bank, queries, per_feature=False)
    accuracies = []
    for draw in range(draws):
        chosen = draw_per_class(bank_labels, labels_per_class, seed=1_000_003 * seed + draw)
        accuracies.append(_accuracy_of_fit(bank[chosen], bank_labels[chosen], queries, query_labels, l2))
    return sum(accuracies) / draws


def draw_per_class(labels: Tensor, count: int, seed: int) -> Tensor:
    """Indices of ``count`` random samples of every class, (count x classes,)."""
    generator = torch.Generator().manual_seed(seed)
    members = [(labels == label).nonzero()[:, 0] for label in labels.unique()]
    return torch.cat([each[torch.randperm(len(each), generator=generator)[:count]] for each in members])


def standardise(bank: Tensor, queries: Tensor, per_feature: bool = True) -> tuple[Tensor, Tensor]:
    """Both in float64, centred by the bank's mean and scaled to unit variance in the bank.

    Args:
        bank: (N, D).
        queries: (M, D).
        per_feature: every feature to unit variance; else one common scale, to a mean variance of one.
    """
    bank, queries = bank.double(), queries.double()
    mean, variance = bank.mean(0), bank.var(0, correction=0)
    floor = 1e-12 * variance.max()  # a feature that is constant but for rounding must not be blown up
    if not per_feature:
        variance = variance.mean()
    scale = torch.where(variance > floor, variance, torch.inf).rsqrt()
    return (bank - mean) * scale, (queries - mean) * scale


def _accuracy_of_fit(bank: Tensor, bank_labels: Tensor, queries: Tensor, query_labels: Tensor, l2: float) -> float:
    classes, targets = bank_labels.unique(return_inverse=True)
    weight, bias = fit_logistic(bank, targets, len(classes), l2)
    predicted = classes[F.linear(queries, weight, bias).argmax(1)]
    return (predicted == query_labels).double().mean().item()


def _check_l2(l2: float) -> None:
    if l2 <= 0:
        raise ConfigError(f'l2 is {l2}; it must be above 0, or separable classes have no finite solution')


@METRICS.register_module()
class LinearAccuracy(FeatureMetric):
    """Accuracy of a logistic regression as ``linear_top1``, in percent; see :func:`linear_accuracy`.

    All features are held in memory; for ImageNet use the linear benchmark's training instead.

    Args:
        l2: weight of the penalty, > 0.
    """

    def __init__(self, l2: float = 1e-3) -> None:
        super().__init__()
        _check_l2(l2)
        self.l2 = l2

    def score_features(self, split: FeatureSplit) -> dict[str, float]:
        """See :class:`FeatureMetric`."""
        return {'linear_top1': 100 * linear_accuracy(*split, self.l2)}


@METRICS.register_module()
class FewShotAccuracy(FeatureMetric):
    """Accuracy from a few labels as ``few_shot_top1``, in percent; see :func:`few_shot_accuracy`.

    Args:
        labels_per_class: bank samples drawn of each class.
        draws: how many times; the mean is reported.
        seed: of the draws.
        l2: weight of the penalty, > 0.
    """

    def __init__(self, labels_per_class: int = 1, draws: int = 20, seed: int = 0, l2: float = 1e-3) -> None:
        super().__init__()
        _check_l2(l2)
        if labels_per_class < 1 or draws < 1:
            raise ConfigError(f'labels_per_class {labels_per_class} and draws {draws} must be at least 1')
        self.labels_per_class, self.draws, self.seed, self.l2 = labels_per_class, draws, seed, l2

    def score_features(self, split: FeatureSplit) -> dict[str, float]:
        """See :class:`FeatureMetric`."""
        return {'few_shot_top1': 100 * few_shot_accuracy(*split, self.labels_per_class, self.draws, self.seed, self.l2)}
