"""k-NN against a plain loop and scikit-learn."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from evaluation.planted import batches, digits, knn_accuracies, planted
from sklearn.neighbors import KNeighborsClassifier

from binssl.evaluation import EvaluationError, KNNAccuracy, neighbour_search
from binssl.registry import METRICS, ConfigError


def knn_accuracy(bank, bank_labels, queries, query_labels, num_neighbours=20, temperature=0.07):
    return knn_accuracies(bank, bank_labels, queries, query_labels, [num_neighbours], temperature)[0]


def loop_accuracy(bank, bank_labels, queries, query_labels, num_neighbours, temperature):
    """The vote as the paper words it, one query and one neighbour at a time."""
    hits = 0
    for query, truth in zip(queries, query_labels, strict=True):
        similar = sorted(
            (
                (float(F.cosine_similarity(query, sample, dim=0)), int(label))
                for sample, label in zip(bank, bank_labels, strict=True)
            ),
            reverse=True,
        )
        votes: dict[int, float] = {}
        for similarity, label in similar[:num_neighbours]:
            votes[label] = votes.get(label, 0.0) + math.exp(similarity / temperature)
        hits += max(votes, key=votes.__getitem__) == int(truth)
    return hits / len(queries)


@pytest.mark.parametrize('num_neighbours', [1, 5, 20])
@pytest.mark.parametrize('temperature', [0.07, 1.0])
def test_agrees_with_a_plain_loop(num_neighbours, temperature):
    bank, bank_labels = planted(60, noise=2.5, seed=1)
    queries, query_labels = planted(40, noise=2.5, seed=2)
    arguments = bank.double(), bank_labels, queries.double(), query_labels, num_neighbours, temperature
    expected = loop_accuracy(*arguments)
    assert 0.2 < expected < 1
    assert knn_accuracy(*arguments) == pytest.approx(expected, abs=1e-12)


def test_agrees_with_scikit_learn_on_digits():
    bank, bank_labels, queries, query_labels = digits()

    def weights(distance):  # cosine distance = 1 - similarity
        return torch.exp((1 - torch.as_tensor(distance)) / 0.07).numpy()

    counts, expected = (1, 10, 20, 100, 200), []
    for count in counts:
        oracle = KNeighborsClassifier(count, metric='cosine', weights=weights).fit(bank, bank_labels)
        expected.append(oracle.score(queries, query_labels))
    assert len(set(expected)) > 2
    assert knn_accuracies(bank, bank_labels, queries, query_labels, counts) == pytest.approx(expected, abs=1e-12)


def test_several_numbers_of_neighbours_in_one_search_score_as_alone():
    data = *planted(60, noise=2.5, seed=1), *planted(41, noise=2.5, seed=2)
    counts = [20, 1, 55, 5]
    assert knn_accuracies(*data, counts) == [knn_accuracy(*data, num_neighbours=count) for count in counts]


def test_of_equally_near_samples_the_first_vote():
    """Four samples alike, of classes 1, 0, 0, 0, and one query: the nearest is the first, the three nearest say 0."""
    bank, labels = torch.ones(5, 3), torch.tensor([1, 0, 0, 0, 1])
    bank[4, 0] = -1
    assert knn_accuracies(bank, labels, torch.ones(1, 3), torch.tensor([1]), [1, 3]) == [1, 0]
    assert knn_accuracies(
        bank[[1, 2, 0, 3, 4]], labels[[1, 2, 0, 3, 4]], torch.ones(1, 3), torch.tensor([0]), [1, 3]
    ) == [1, 1]


def test_chunks_change_nothing(monkeypatch):
    data = *planted(60, noise=2.5, seed=1), *planted(41, noise=2.5, seed=2)
    whole = knn_accuracy(*data)
    monkeypatch.setattr(neighbour_search, 'BYTES_AT_ONCE', 8 * 7 * 16)
    assert knn_accuracy(*data) == whole


def test_planted_classes_are_found():
    assert knn_accuracy(*planted(200, seed=1), *planted(100, seed=2)) >= 0.99


def test_shuffled_labels_score_chance():
    bank, labels = planted(500, seed=1)
    shuffled = labels[torch.randperm(500, generator=torch.Generator().manual_seed(0))]
    assert knn_accuracy(bank, shuffled, *planted(1000, noise=1.0, seed=2)) == pytest.approx(0.2, abs=0.1)


def test_a_small_temperature_does_not_overflow():
    data = *planted(60, seed=1), *planted(40, seed=2)
    assert knn_accuracy(*data, temperature=1e-4) == knn_accuracy(*data, num_neighbours=1)


def test_class_numbers_need_not_be_dense_and_unknown_classes_count_as_wrong():
    bank, labels = planted(60, seed=1)
    queries, truth = planted(40, seed=2)
    assert knn_accuracy(bank, 100 * labels, queries, 100 * truth) == 1
    assert knn_accuracy(bank, labels, queries, torch.where(truth == 0, 77, truth)) == pytest.approx(0.8)


def test_more_neighbours_than_samples_is_an_error():
    with pytest.raises(EvaluationError, match='num_neighbours 20 is more than the 10 bank samples'):
        knn_accuracy(*planted(10), *planted(10))


@pytest.mark.parametrize(
    'bad',
    [
        dict(num_neighbours=0),
        dict(num_neighbours=[]),
        dict(num_neighbours=[5, 0]),
        dict(num_neighbours=[5, 5]),
        dict(num_neighbours=2.5),
        dict(num_neighbours='20'),
        dict(num_neighbours=True),
        dict(temperature=0.0),
        dict(temperature=-1.0),
        dict(temperature=float('nan')),
        dict(temperature='warm'),
    ],
    ids=str,
)
def test_impossible_settings_are_refused_at_construction(bad):
    with pytest.raises(ConfigError, match=next(iter(bad))):
        METRICS.build(dict(type='KNNAccuracy', **bad))


def measured(data, **settings) -> dict[str, float]:
    metric = KNNAccuracy(**settings)
    for batch in data:
        metric.process({}, batch)
    try:
        return metric.evaluate(0)
    finally:
        assert not metric.results


@pytest.mark.parametrize(
    ('num_neighbours', 'names'),
    [(20, ['knn_top1']), ([20], ['knn_top1']), ([10, 5, 50], ['knn_top1_10', 'knn_top1_5', 'knn_top1_50'])],
)
def test_metric_scores_each_sample_once_whatever_order_it_comes_in(num_neighbours, names):
    features, labels = planted(101, noise=2.5)
    banks = torch.arange(101) % 5 < 3
    data = batches(features, labels, banks)
    counts = num_neighbours if isinstance(num_neighbours, list) else [num_neighbours]
    expected = knn_accuracies(features[banks], labels[banks], features[~banks], labels[~banks], counts)
    for order in (data, data[::-1], [*data[5:], *data[:8]]):
        result = measured(order, num_neighbours=num_neighbours)
        assert list(result) == names
        assert list(result.values()) == pytest.approx([100 * share for share in expected], abs=1e-9)


def test_features_that_are_not_finite_are_counted():
    features, labels = planted(60)
    features[5, 1] = torch.nan
    with pytest.raises(EvaluationError, match='features of 1 of 60 samples are not finite'):
        measured(batches(features, labels, torch.arange(60) < 40))


def test_several_labels_a_sample_are_refused():
    features, _ = planted(60)
    with pytest.raises(EvaluationError, match='one label a sample and these have several'):
        measured(batches(features, torch.ones(60, 20, dtype=torch.int8), torch.arange(60) < 40))
