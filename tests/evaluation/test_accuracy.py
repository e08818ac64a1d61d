"""Top-k accuracy against scikit-learn, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import top_k_accuracy_score

from binssl.evaluation import Accuracy, EvaluationError, topk_hits
from binssl.registry import ConfigError


def random_scores(count: int = 200, classes: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, classes, generator=generator), torch.arange(count) % classes


@pytest.mark.parametrize('k', [1, 2, 5])
def test_agrees_with_scikit_learn(k):
    scores, labels = random_scores()
    share = topk_hits(scores, labels, [1, k])[:, 1].double().mean()
    assert share == pytest.approx(top_k_accuracy_score(labels, scores, k=k))


def test_the_metric_reports_each_k_in_percent():
    scores, labels = torch.tensor([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]]), torch.tensor([0, 1])
    metric = Accuracy(topk=(1, 2))
    metric.process({}, [dict(scores=scores, labels=labels, indices=torch.arange(2))])
    assert metric.evaluate(2) == {'top1': 50.0, 'top2': 100.0}


def test_a_constant_network_scores_chance_only():
    scores, labels = torch.zeros(60, 6), torch.arange(60) % 6
    assert topk_hits(scores, labels).double().mean() == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    ('scores', 'labels', 'message'),
    [
        (torch.zeros(2, 3), torch.tensor([0, 3]), 'label 3 is outside the 3 classes'),
        (torch.zeros(2, 3), torch.tensor([-1, 0]), 'label -1 is outside'),
        (torch.tensor([[0.0, torch.nan, 0.0]]), torch.tensor([0]), 'not finite'),
        (torch.zeros(2, 1), torch.tensor([0, 0]), 'topk 2 is more than the 1 classes'),
    ],
)
def test_what_cannot_be_scored_is_an_error(scores, labels, message):
    with pytest.raises(EvaluationError, match=message):
        topk_hits(scores, labels, [2])


@pytest.mark.parametrize('topk', [(), (0,), (1, -5)])
def test_impossible_topk_is_refused_at_construction(topk):
    with pytest.raises(ConfigError, match='topk'):
        Accuracy(topk)
