"""SVMs and low-shot SVMs against scikit-learn, plain loops and planted answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from evaluation.planted import batches, digits, planted
from sklearn.model_selection import cross_val_score
from sklearn.svm import LinearSVC

from binssl.evaluation import EvaluationError, LinearSVM
from binssl.evaluation.average_precision import average_precision, average_precisions
from binssl.evaluation.linear_svm import ALL, SVMTask, draw_shots
from binssl.evaluation.svm import (
    LabeledFeatures,
    SVMSettings,
    as_targets,
    decide,
    fit_all,
    jobs_that_fit,
    memory_of_a_job,
    unit_length,
)
from binssl.registry import ConfigError

SETTINGS = SVMSettings()


def several_labels(count: int, seed: int, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Features that add up the centres of the classes in each image, of four; targets of all three kinds."""
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(4, 12))
    present = generator.random((count, 4)) < 0.3
    features = present @ centres + noise * generator.normal(size=(count, 12))
    targets = np.where(present, 1, -1)
    targets[generator.random((count, 4)) < 0.05] = 0
    return features.astype(np.float32), targets.astype(np.int8)


def pose(metric: LinearSVM, train: tuple, test: tuple) -> SVMTask:
    train_targets, test_targets = metric.targets(np.asarray(train[1]), np.asarray(test[1]))
    features = [np.asarray(part[0]) for part in (train, test)]
    sets = (LabeledFeatures(*pair) for pair in zip(features, (train_targets, test_targets), strict=True))
    return SVMTask(*sets, single=np.ndim(train[1]) == 1)


def shuffled(data: tuple) -> tuple:
    return data[0], data[1][np.random.default_rng(0).permutation(len(data[1]))]


def published_svc(cost: float) -> LinearSVC:
    return LinearSVC(C=cost, class_weight={1: 2, -1: 1}, tol=1e-4, max_iter=2000, dual=True, random_state=0)


def normalised(features: np.ndarray) -> np.ndarray:
    features = features.astype(np.float64)
    return np.stack([row / (np.sqrt((row * row).sum()) + 1e-5) for row in features])


def loop_over_scikit_learn(train: tuple, test: tuple, keep: bool) -> tuple[list[float], np.ndarray]:
    """Chosen costs and decisions of the published way, class by class."""
    costs, decisions = [], []
    for column in range(train[1].shape[1]):
        targets = train[1][:, column]
        rows = targets != 0 if not keep else np.ones(len(targets), dtype=bool)
        features, signs = normalised(train[0])[rows], np.where(targets[rows] == 1, 1, -1)
        scores = [
            cross_val_score(published_svc(cost), features, signs, cv=3, scoring='average_precision').mean()
            for cost in (1.0, 10.0, 100.0)
        ]
        costs.append((1.0, 10.0, 100.0)[int(np.argmax(scores))])
        decisions.append(published_svc(costs[-1]).fit(features, signs).decision_function(normalised(test[0])))
    return costs, np.stack(decisions, 1)


@pytest.mark.filterwarnings('ignore::sklearn.exceptions.ConvergenceWarning')
@pytest.mark.parametrize('difficult', ['left out', 'negative'])
def test_svms_costs_and_map_are_those_of_a_loop_over_scikit_learn(difficult):
    train, test = several_labels(90, 1, noise=1.0), several_labels(60, 2, noise=1.0)
    costs, decisions = loop_over_scikit_learn(train, test, keep=difficult == 'negative')
    chosen = fit_all(LabeledFeatures(*train), SVMSettings(difficult=difficult))
    assert chosen.costs == costs
    np.testing.assert_allclose(decide(test[0], chosen.weights, chunk=7), decisions, rtol=1e-6, atol=1e-9)
    metric = LinearSVM(difficult=difficult)
    record = metric.measure(ALL, pose(metric, train, test))
    assert record['map'] == pytest.approx(100 * average_precisions(decisions, test[1]).mean())
    assert record['map_11_points'] == pytest.approx(100 * average_precisions(decisions, test[1], '11 points').mean())


@pytest.mark.filterwarnings('ignore::sklearn.exceptions.ConvergenceWarning')
def test_low_shot_is_a_loop_over_draws_classes_and_costs():
    train, test = several_labels(90, 1, noise=1.0), several_labels(60, 2, noise=1.0)
    metric = LinearSVM(full=False, shots=[4], repeats=2, seed=3)
    record = metric.measure(4, pose(metric, train, test))
    expected = {}
    for cost in (1.0, 10.0, 100.0):
        expected[cost] = []
        for repeat in range(2):
            scores = []
            for column, (rows, signs) in enumerate(draw_shots(train[1], 4, 3, repeat, single=False)):
                svc = published_svc(cost).fit(normalised(train[0])[rows], signs)
                decided = svc.decision_function(normalised(test[0]))
                scores.append(100 * average_precision(decided, test[1][:, column]))
            expected[cost].append(np.mean(scores))
        assert record['by_cost'][str(cost)] == pytest.approx(expected[cost])
    best = max(expected.values(), key=np.mean)
    assert (record['map'], record['std']) == (pytest.approx(np.mean(best)), pytest.approx(np.std(best)))
    assert (record['lowest'], record['highest']) == (pytest.approx(min(best)), pytest.approx(max(best)))


def test_digits_score_as_scikit_learns_one_against_the_rest():
    bank, bank_labels, queries, query_labels = (part.numpy() for part in digits())
    metric = LinearSVM(costs=[10.0])
    record = metric.measure(ALL, pose(metric, (bank, bank_labels), (queries, query_labels)))
    svc = LinearSVC(C=10.0, tol=1e-4, max_iter=2000, dual=False).fit(normalised(bank), bank_labels)
    assert record['top1'] == pytest.approx(100 * svc.score(normalised(queries), query_labels), abs=1.0)


@pytest.mark.parametrize('part', [ALL, 4])
def test_planted_classes_are_found(part):
    metric = LinearSVM(shots=[4])
    single = pose(metric, planted(100, seed=1), planted(100, seed=2))
    assert metric.measure(part, single)['top1'] >= 99
    multiple = pose(metric, several_labels(300, 1, noise=0.02), several_labels(100, 2, noise=0.02))
    assert metric.measure(part, multiple)['map'] >= (99 if part == ALL else 85)


@pytest.mark.parametrize('part', [ALL, 4])
def test_shuffled_labels_score_chance(part):
    metric = LinearSVM(shots=[4], costs=[1.0])
    train, test = planted(250, noise=1.0, seed=1), planted(1000, noise=1.0, seed=2)
    assert metric.measure(part, pose(metric, shuffled(train), test))['top1'] == pytest.approx(20, abs=10)
    several, scored = several_labels(300, 1, noise=1.0), several_labels(1000, 2, noise=1.0)
    chance = 100 * np.mean([(column == 1).sum() / (column != 0).sum() for column in scored[1].T])
    assert metric.measure(part, pose(metric, shuffled(several), scored))['map'] == pytest.approx(chance, abs=8)


def test_draws_hold_the_shots_and_depend_on_seed_repeat_and_shots_alone():
    targets = several_labels(200, 1)[1]
    drawn = draw_shots(targets, 3, seed=0, repeat=0, single=False)
    for column, (rows, signs) in enumerate(drawn):
        assert (len(set(rows)), (signs == 1).sum(), (signs == -1).sum()) == (12, 3, 9)
        np.testing.assert_array_equal(targets[rows, column], signs)
    again = draw_shots(targets, 3, seed=0, repeat=0, single=False)
    assert all(np.array_equal(one[0], other[0]) for one, other in zip(drawn, again, strict=True))
    first = {tuple(draw_shots(targets, 3, seed, repeat, single=False)[0][0]) for seed in (0, 1) for repeat in range(5)}
    assert len(first) == 10


def test_where_each_image_is_of_one_class_all_learn_from_the_same():
    targets = as_targets(np.arange(50) % 5, 5)
    drawn = draw_shots(targets, 2, seed=0, repeat=0, single=True)
    assert len({tuple(rows) for rows, _ in drawn}) == 1
    assert [(int((signs == 1).sum()), int((signs == -1).sum())) for _, signs in drawn] == [(2, 8)] * 5


def test_features_are_brought_to_unit_length_and_zero_stays():
    lengths = np.linalg.norm(unit_length(np.array([[3.0, 4.0], [0.0, 0.0]])), axis=1)
    np.testing.assert_allclose(lengths, [5 / (5 + 1e-5), 0])


def test_jobs_fit_into_memory():
    assert memory_of_a_job(5011, 9216) == pytest.approx(1.1e9, rel=0.01)
    assert jobs_that_fit(10**9, 10**4) == 1
    assert jobs_that_fit(1, 1) >= 1


def test_the_metric_scores_a_models_predictions_once_each():
    features, labels = planted(90, noise=1.0)
    banks = torch.arange(90) < 60
    metric = LinearSVM(shots=[2], repeats=2)
    for batch in [*batches(features, labels, banks), batches(features, labels, banks)[0]]:  # the first one twice
        metric.process(None, batch)
    results = metric.evaluate(90)
    task = pose(metric, (features[:60], labels[:60]), (features[60:], labels[60:]))
    assert results['svm_top1'] == metric.measure(ALL, task)['top1']
    low = metric.measure(2, task)
    assert (results['svm_top1_2_shots'], results['svm_top1_2_shots_std']) == (low['top1'], low['std'])
    assert len(results) == 3


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(costs=[]), 'one or more numbers above 0'),
        (dict(costs=[1, -1]), 'one or more numbers above 0'),
        (dict(folds=1), 'at least 2'),
        (dict(difficult='left'), "'left'.*'left out'"),
        (dict(shots=[0]), 'whole numbers above 0'),
        (dict(shots=[1], repeats=0), 'whole numbers above 0'),
        (dict(full=False), 'nothing to learn from'),
    ],
)
def test_impossible_settings_are_refused_at_construction(settings, message):
    with pytest.raises(ConfigError, match=message):
        LinearSVM(**settings)


LABELS = np.arange(40) % 4
TARGETS = as_targets(LABELS, 4)


@pytest.mark.parametrize(
    ('shots', 'train', 'test', 'message'),
    [
        ([11], LABELS, LABELS, r'class 0 \(a\) has 10 positive images, fewer than the 11 that 11 shots draw'),
        ([10], TARGETS, TARGETS, None),
        ([11], TARGETS, TARGETS, 'fewer than the 11 that 11 shots draw; lower test_evaluator.0.shots'),
        ([6], TARGETS[:, :3].repeat(2, 1)[:, :4], TARGETS, None),
        ([2], np.where(np.arange(40)[:, None] % 8 == 0, -1, 1) * np.ones((1, 4)), TARGETS, 'fewer than the 3 x 2'),
        ([1], np.zeros(40, int), LABELS, 'only one class'),
        ([1], LABELS, LABELS + 1, 'label 4 is outside the 4 classes learnt from'),
        ([1], LABELS - 1, LABELS, '10 of 40 images have no label'),
        ([1], TARGETS, LABELS, 'must be of one kind'),
        ([1], TARGETS, TARGETS[:, :3], '3 columns; there are 4 classes'),
        ([1], 2 * TARGETS, TARGETS, 'none of 1, 0'),
        ([1], TARGETS, -np.ones((5, 4)), 'class 0 .a. has 0 positive images, fewer than the 1 that an average prec'),
        ([1], LABELS[:8], LABELS, 'fewer than the 3 that folds of cross-validation need; lower test_evaluator.0.folds'),
        ([1], np.array([], int), LABELS, 'some of each'),
    ],
)
def test_what_cannot_be_learnt_is_said_by_the_labels_alone(shots, train, test, message):
    metric = LinearSVM(shots=shots)
    if message is None:
        metric.targets(train, test, 'abcd')
    else:
        with pytest.raises(EvaluationError, match=message):
            metric.targets(train, test, 'abcd')


def test_features_and_targets_of_other_images_are_told_apart():
    with pytest.raises(EvaluationError, match='features of 39 images and targets of 40'):
        LabeledFeatures(np.zeros((39, 2)), TARGETS)


def test_features_that_are_not_finite_are_an_error():
    with pytest.raises(EvaluationError, match='features are not finite'):
        unit_length(np.array([[np.inf, 1.0]]))
