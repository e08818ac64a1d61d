"""Samples count once, in order, whatever the processes; bad data is refused in words."""

from __future__ import annotations

import pytest
import torch
from evaluation.planted import batches, planted
from mmengine.evaluator import Evaluator
from two_processes import in_two_processes

from binssl.evaluation import EvaluationError
from binssl.registry import METRICS

ALL = [
    dict(type='KNNAccuracy'),
    dict(type='LinearAccuracy'),
    dict(type='FewShotAccuracy', draws=2),
    dict(type='Accuracy', topk=(1, 3)),
]


def samples(count: int = 101):
    features, labels = planted(count, noise=1.2)
    return features, labels, torch.arange(count) < 60


def evaluate(configs: list[dict], data: list, size: int = 101) -> dict[str, float]:
    metrics = Evaluator([METRICS.build(config) for config in configs])
    for batch in data:
        metrics.process(data_samples=batch, data_batch={})
    return metrics.evaluate(size)


def test_results_have_their_names_and_are_percentages():
    results = evaluate(ALL, batches(*samples()))
    assert list(results) == ['knn_top1', 'linear_top1', 'few_shot_top1', 'top1', 'top3']
    assert all(0 < value <= 100 for value in results.values())
    assert results['linear_top1'] > 70


def test_order_batch_size_and_padding_change_nothing():
    data = batches(*samples())
    other = batches(*samples(), size=13)
    assert evaluate(ALL, other[::-1] + other[:2]) == evaluate(ALL, data)


def test_a_metric_can_be_used_again():
    data = batches(*samples())
    metric = METRICS.build(dict(type='KNNAccuracy'))
    results = []
    for _ in range(2):
        for batch in data:
            metric.process({}, batch)
        results.append(metric.evaluate(101))
    assert results[0] == results[1]


def test_half_precision_features_are_scored_in_float32():
    features, labels, banks = samples()
    features = features.bfloat16()
    data, exact = batches(features, labels, banks), batches(features.float(), labels, banks)
    assert evaluate(ALL[:3], data) == evaluate(ALL[:3], exact)


def evaluate_share(rank: int) -> tuple[dict[str, float], str]:
    """The results, and how a question that cannot be answered is refused."""
    data = batches(*samples(), size=7)
    shares = [data[0::2], data[1::2] + data[:1]]  # the second one is padded with a batch of the first
    results = evaluate(ALL, shares[rank])
    with pytest.raises(EvaluationError) as refused:
        evaluate([dict(type='KNNAccuracy', num_neighbours=1000)], shares[rank])
    return results, str(refused.value)


@pytest.mark.process
def test_two_processes_give_the_numbers_and_errors_of_one(tmp_path):
    expected = evaluate(ALL, batches(*samples()))
    for results, message in in_two_processes(evaluate_share, tmp_path):
        assert results == expected
        assert 'num_neighbours 1000 is more than the 60 bank samples' in message


def test_no_bank_or_no_query_samples_is_an_error():
    features, labels, _ = samples()
    with pytest.raises(EvaluationError, match='no bank samples to learn from'):
        evaluate(ALL[:1], batches(features, labels, torch.zeros(101, dtype=torch.bool)))
    with pytest.raises(EvaluationError, match='no query samples to score'):
        evaluate(ALL[:1], batches(features, labels, torch.ones(101, dtype=torch.bool)))


@pytest.mark.parametrize('config', ALL[:3], ids=lambda config: config['type'])
def test_a_bank_of_one_class_is_an_error(config):
    features, labels, banks = samples()
    with pytest.raises(EvaluationError, match='the bank has only class 4'):
        evaluate([config], batches(features, torch.where(banks, 4, labels), banks))


def test_unlabelled_samples_are_counted():
    features, labels, banks = samples()
    labels[:3] = -1
    with pytest.raises(EvaluationError, match='3 of 101 samples have no label'):
        evaluate(ALL[:1], batches(features, labels, banks))


def test_features_that_are_not_finite_are_counted():
    features, labels, banks = samples()
    features[5, 1], features[5, 2], features[7, 0] = torch.nan, torch.inf, torch.nan
    with pytest.raises(EvaluationError, match='features of 2 of 101 samples are not finite'):
        evaluate(ALL[1:2], batches(features, labels, banks))


@pytest.mark.parametrize('key', ['labels', 'banks', 'features', 'indices'])
def test_a_missing_entry_is_named(key):
    data = batches(*samples())
    del data[0][0][key]
    with pytest.raises(EvaluationError, match=f'KNNAccuracy needs {key!r}'):
        evaluate(ALL[:1], data)


def test_an_empty_set_is_an_error():
    with pytest.raises(EvaluationError, match='empty'):
        evaluate(ALL[:1], [])
