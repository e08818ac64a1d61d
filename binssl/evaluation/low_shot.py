"""SVMs that learn from a few images of each class, several times over (arXiv:1905.01235, section 6.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from binssl.evaluation.gather import EvaluationError
from binssl.evaluation.svm import (
    LabeledFeatures,
    SVMSettings,
    check_classes,
    class_name,
    decide,
    fit_costs,
    in_parallel,
)

Score = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class LowShot:
    """What so many shots score.

    Args:
        values: (costs, repeats), the scores.
        costs: the costs.
        not_converged: how many SVMs came to no end.
    """

    values: np.ndarray
    costs: tuple[float, ...]
    not_converged: int

    @property
    def best(self) -> int:
        """Place of the cost with the highest mean, of equals the lowest: on the test images, as published."""
        return int(self.values.mean(1).argmax())


def draw_shots(
    targets: np.ndarray, shots: int, seed: int, repeat: int, single: bool
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Images of each class and their signs, (K,) and (K,), drawn without replacement.

    Where an image may be of several classes, every class draws ``shots`` positives and ``(C - 1) x shots`` negatives
    for itself; difficult ones are neither. Where each image is of one class, ``shots`` images of every class are drawn,
    and all classes learn from the same. (seed, repeat, shots) decide, the features do not.

    Args:
        targets: (N, C), 1, 0 or -1.
        shots: positives a class.
        seed: of all draws.
        repeat: which draw.
        single: whether each image is of one class.
    """
    generator = np.random.default_rng([seed, repeat, shots])
    count = targets.shape[1]

    def draw(column: int, sign: int, number: int) -> np.ndarray:
        return generator.choice(np.flatnonzero(targets[:, column] == sign), number, replace=False)

    if single:
        rows = np.concatenate([draw(column, 1, shots) for column in range(count)])
        return [(rows, targets[rows, column].astype(int)) for column in range(count)]
    drawn = [np.concatenate([draw(column, 1, shots), draw(column, -1, (count - 1) * shots)]) for column in range(count)]
    return [(rows, targets[rows, column].astype(int)) for column, rows in enumerate(drawn)]


def check_shots(targets: np.ndarray, shots: Sequence[int], single: bool, classes: Sequence[str] | None = None) -> None:
    """Whether every class has the images that are drawn.

    Raises:
        EvaluationError: one has not.
    """
    most, others = max(shots), targets.shape[1] - 1
    check_classes(targets, most, f'{most} shots draw; lower test_evaluator.0.shots', classes)
    if not single:
        negatives = (targets == -1).sum(0)
        if negatives.min() < others * most:
            column = int(negatives.argmin())
            raise EvaluationError(
                f'class {class_name(column, classes)} has {negatives[column]:,} negative images, '
                f'fewer than the {others} x {most} that {most} shots draw; lower '
                'test_evaluator.0.shots'
            )


def low_shot(
    train: LabeledFeatures,
    test: LabeledFeatures,
    score: Score,
    shots: int,
    settings: SVMSettings,
    repeats: int = 5,
    seed: int = 0,
    single: bool = False,
    jobs: int = 1,
) -> LowShot:
    """Fit an SVM for every class, repeat and cost to a few images, and score each cost and repeat on all test images.

    Args:
        train: what is drawn from.
        test: what is scored.
        score: of decisions (M, C) and targets (M, C).
        shots: positives a class.
        settings: how to fit; there is no cross-validation.
        repeats: draws.
        seed: of the draws.
        single: whether each image is of one class.
        jobs: processes that fit at a time.
    """
    draws = [draw_shots(train.targets, shots, seed, repeat, single) for repeat in range(repeats)]
    tasks = [(train.features, *part, settings.costs, settings) for drawn in draws for part in drawn]
    by_task = in_parallel(fit_costs, tasks, jobs)
    fits = [fit for by_cost in by_task for fit in by_cost]
    decisions = decide(test.features, np.stack([fit.weights for fit in fits]))
    # (images, draws x classes x costs) -> (draws, costs, images, classes)
    ordered = decisions.reshape(len(decisions), repeats, -1, len(settings.costs)).transpose(1, 3, 0, 2)
    values = [[score(decided, test.targets) for decided in by_cost] for by_cost in ordered]
    return LowShot(np.array(values).T, settings.costs, sum(not fit.converged for fit in fits))
