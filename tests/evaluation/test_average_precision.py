"""Average precision against hand-computed cases, scikit-learn and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from binssl.evaluation.average_precision import RULES, average_precision, average_precisions, precision_recall
from binssl.evaluation.gather import EvaluationError

#: ranked + - + + -: precisions 1, 1/2, 2/3, 3/4, 3/5 at recalls 1/3, 1/3, 2/3, 1, 1
RANKED, TARGETS = np.array([5.0, 4, 3, 2, 1]), np.array([1, -1, 1, 1, -1])


def ranking(seed: int, count: int = 60, levels: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """Random scores, many of them equal where there are few levels, and targets of all three kinds."""
    generator = np.random.default_rng(seed)
    targets = generator.choice([1, 0, -1], count, p=[0.3, 0.2, 0.5])
    targets[:2] = 1, -1
    return generator.integers(levels, size=count) + targets, targets


def curve(scores: np.ndarray, targets: np.ndarray) -> list[tuple[float, float]]:
    """(recall, precision) at every threshold, counted sample by sample."""
    kept = [(score, target) for score, target in zip(scores, targets, strict=True) if target != 0]
    positives = sum(target == 1 for _, target in kept)
    points = []
    for threshold in sorted({score for score, _ in kept}, reverse=True):
        above = [target for score, target in kept if score >= threshold]
        points.append((above.count(1) / positives, above.count(1) / len(above)))
    return points


def area_by_loop(points: list[tuple[float, float]]) -> float:
    total, before = 0.0, 0.0
    for recall, _ in points:
        total += (recall - before) * max(precision for later, precision in points if later >= recall)
        before = recall
    return total


def eleven_points_by_loop(points: list[tuple[float, float]]) -> float:
    tenths = [[precision for recall, precision in points if recall >= tenth / 10 - 1e-12] for tenth in range(11)]
    return sum(max(precisions, default=0.0) for precisions in tenths) / 11


@pytest.mark.parametrize(
    ('rule', 'expected'),
    [
        ('steps', (1 + 2 / 3 + 3 / 4) / 3),
        ('area', (1 + 3 / 4 + 3 / 4) / 3),  # 2/3 is lifted to the 3/4 behind it
        ('11 points', (4 * 1 + 7 * 3 / 4) / 11),  # recalls 0 to 0.3, then 0.4 to 1
    ],
)
def test_hand_computed_case(rule, expected):
    assert average_precision(RANKED, TARGETS, rule) == pytest.approx(expected)


def test_a_recall_of_exactly_a_tenth_counts_as_reached():
    # 10 positives, one negative after the third: precision 1 up to recall 0.3, then at best 10/11
    targets = np.array([1] * 3 + [-1] + [1] * 7)
    scores = -np.arange(11.0)
    assert average_precision(scores, targets, '11 points') == pytest.approx((4 + 7 * 10 / 11) / 11)


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('levels', [1000, 8])
def test_rules_agree_with_plain_loops(seed, levels):
    scores, targets = ranking(seed, levels=levels)
    points = curve(scores, targets)
    assert average_precision(scores, targets, 'area') == pytest.approx(area_by_loop(points))
    assert average_precision(scores, targets, '11 points') == pytest.approx(eleven_points_by_loop(points))
    precision, recall = precision_recall(scores, targets)
    np.testing.assert_allclose(list(zip(recall, precision, strict=True)), points)


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('levels', [1000, 8])
def test_steps_are_scikit_learns(seed, levels):
    scores, targets = ranking(seed, levels=levels)
    kept = targets != 0
    expected = average_precision_score(targets[kept] == 1, scores[kept])
    assert average_precision(scores, targets, 'steps') == pytest.approx(expected)


@pytest.mark.parametrize('rule', RULES)
def test_difficult_samples_change_nothing(rule):
    scores, targets = np.append(RANKED, [10.0, 2.5]), np.append(TARGETS, [0, 0])
    assert average_precision(scores, targets, rule) == average_precision(RANKED, TARGETS, rule)


@pytest.mark.parametrize('rule', RULES)
def test_a_perfect_ranking_scores_one_and_equal_scores_the_share_of_positives(rule):
    assert average_precision(TARGETS.astype(float), TARGETS, rule) == 1
    assert average_precision(np.zeros(5), TARGETS, rule) == pytest.approx(3 / 5)


def test_random_scores_have_the_share_of_positives():
    generator = np.random.default_rng(0)
    targets = np.where(generator.random(20000) < 0.3, 1, -1)
    assert average_precision(generator.random(20000), targets) == pytest.approx(0.3, abs=0.02)


def test_every_class_has_its_own():
    scores, targets = (np.stack(columns, 1) for columns in zip(ranking(1), ranking(2), strict=True))
    expected = [average_precision(*ranking(1)), average_precision(*ranking(2))]
    np.testing.assert_allclose(average_precisions(scores, targets), expected)


@pytest.mark.parametrize(
    ('scores', 'targets', 'message'),
    [
        (np.zeros(3), np.zeros(4), '3 scores and 4 targets'),
        (np.array([0.0, np.nan]), np.array([1, -1]), 'not finite'),
        (np.zeros(3), np.array([0, -1, -1]), 'none of the 2 samples is positive'),
    ],
)
def test_bad_input_is_an_error(scores, targets, message):
    with pytest.raises(EvaluationError, match=message):
        average_precision(scores, targets)


def test_an_unknown_rule_and_a_class_without_images_are_named():
    with pytest.raises(EvaluationError, match=r"no rule '11 point'.*'11 points'"):
        average_precision(RANKED, TARGETS, '11 point')
    with pytest.raises(EvaluationError, match=r'class 1 \(bird\): none of the 2 samples'):
        average_precisions(np.zeros((2, 2)), np.array([[1, -1], [-1, -1]]), classes=['boat', 'bird'])
    with pytest.raises(EvaluationError, match='must match'):
        average_precisions(np.zeros((2, 2)), np.zeros((2, 3)))
