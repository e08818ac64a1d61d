"""Linear probes against scikit-learn and planted answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from evaluation.planted import digits, planted
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from binssl.evaluation import (
    EvaluationError,
    FewShotAccuracy,
    LinearAccuracy,
    few_shot_accuracy,
    fit_logistic,
    linear_accuracy,
)
from binssl.evaluation.linear import draw_per_class, standardise
from binssl.registry import ConfigError


def oracle(features, targets, l2):
    return LogisticRegression(C=1 / (l2 * len(features)), tol=1e-8, max_iter=10000).fit(features, targets)


def test_weights_are_those_of_scikit_learn():
    features, targets = planted(200, noise=2.0)
    features = features.double()
    weight, bias = fit_logistic(features, targets, 5, l2=1e-2)
    expected = oracle(features, targets, 1e-2)
    np.testing.assert_allclose(weight, expected.coef_, atol=1e-4)
    intercept = expected.intercept_ - expected.intercept_.mean()
    np.testing.assert_allclose(bias - bias.mean(), intercept, atol=1e-4)


@pytest.mark.parametrize('l2', [1e-1, 1e-3])
def test_digits_score_within_a_point_of_scikit_learn(l2):
    bank, bank_labels, queries, query_labels = digits()
    scaler = StandardScaler().fit(bank)
    expected = oracle(scaler.transform(bank), bank_labels, l2).score(scaler.transform(queries), query_labels)
    assert linear_accuracy(bank, bank_labels, queries, query_labels, l2) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize('accuracy', [linear_accuracy, few_shot_accuracy])
def test_planted_classes_are_found(accuracy):
    assert accuracy(*planted(200, seed=1), *planted(100, seed=2)) >= 0.99


@pytest.mark.parametrize('accuracy', [linear_accuracy, few_shot_accuracy])
def test_shuffled_labels_score_chance(accuracy):
    bank, labels = planted(500, noise=1.0, seed=1)
    shuffled = labels[torch.randperm(500, generator=torch.Generator().manual_seed(0))]
    assert accuracy(bank, shuffled, *planted(1000, noise=1.0, seed=2)) == pytest.approx(0.2, abs=0.1)


@pytest.mark.parametrize('accuracy', [linear_accuracy, few_shot_accuracy])
def test_twice_the_same_and_blind_to_gradient_mode(accuracy):
    data = *planted(100, noise=2.0, seed=1), *planted(100, noise=2.0, seed=2)
    first = accuracy(*data)
    torch.manual_seed(5)
    with torch.no_grad():
        assert accuracy(*data) == first


@pytest.mark.parametrize('accuracy', [linear_accuracy, few_shot_accuracy])
def test_collapsed_features_score_chance_without_failing(accuracy):
    labels = torch.arange(100) % 5
    assert accuracy(torch.ones(100, 8), labels, torch.ones(50, 8), labels[:50]) == pytest.approx(0.2)


def test_standardised_banks_have_unit_variance():
    bank = torch.randn(50, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 5.0, 0.1]) + 3
    each, _ = standardise(bank, bank)
    together, _ = standardise(bank, bank, per_feature=False)
    np.testing.assert_allclose(each.var(0, correction=0), 1)
    np.testing.assert_allclose(together.var(0, correction=0).mean(), 1)
    ratio = together.var(0, correction=0) / bank.double().var(0, correction=0)
    np.testing.assert_allclose(ratio, ratio[0].expand(3))


def test_a_feature_that_is_constant_in_the_bank_is_left_out():
    bank = torch.stack([torch.arange(4.0), torch.full((4,), 7.0)], 1)
    _, queries = standardise(bank, torch.tensor([[0.0, 1e6]]))
    assert queries[0, 1] == 0


def test_draws_hold_the_same_count_of_every_class_and_depend_on_the_seed_alone():
    labels = torch.tensor([3, 3, 3, 7, 7, 9, 9, 9, 9])
    chosen = draw_per_class(labels, 2, seed=1)
    assert labels[chosen].tolist() == [3, 3, 7, 7, 9, 9]
    assert len(chosen.unique()) == 6
    assert torch.equal(chosen, draw_per_class(labels, 2, seed=1))
    assert len({tuple(draw_per_class(labels, 2, seed=seed).tolist()) for seed in range(20)}) > 5


def test_few_labels_agree_with_a_loop_over_scikit_learn():
    bank, bank_labels = planted(100, noise=1.5, seed=1)
    queries, query_labels = planted(100, noise=1.5, seed=2)
    scaled, scaled_queries = standardise(bank, queries, per_feature=False)
    scores = []
    for draw in range(5):
        chosen = draw_per_class(bank_labels, 2, seed=draw)
        scores.append(oracle(scaled[chosen], bank_labels[chosen], 1e-2).score(scaled_queries, query_labels))
    data = bank, bank_labels, queries, query_labels
    accuracy = few_shot_accuracy(*data, labels_per_class=2, draws=5, l2=1e-2)
    assert accuracy == pytest.approx(np.mean(scores), abs=0.003)


def test_more_shots_than_a_class_has_is_an_error_that_names_it():
    labels = torch.tensor([0, 0, 0, 4, 4])
    with pytest.raises(EvaluationError, match='class 4 has 2 bank samples, fewer than labels_per_class 3'):
        few_shot_accuracy(torch.randn(5, 2), labels, torch.randn(5, 2), labels, labels_per_class=3)


@pytest.mark.parametrize(
    ('metric', 'bad'),
    [
        (LinearAccuracy, dict(l2=0.0)),
        (FewShotAccuracy, dict(l2=-1.0)),
        (FewShotAccuracy, dict(labels_per_class=0)),
        (FewShotAccuracy, dict(draws=0)),
    ],
)
def test_impossible_settings_are_refused_at_construction(metric, bad):
    with pytest.raises(ConfigError, match=next(iter(bad))):
        metric(**bad)
