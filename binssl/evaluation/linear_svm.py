"""The SVM benchmark as a metric: all training images, and a few of each class, by mAP or top-1.

A few are drawn several times over (arXiv:1905.01235, section 6.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from binssl.evaluation.average_precision import average_precisions
from binssl.evaluation.gather import EvaluationError, GatheredMetric, class_name
from binssl.evaluation.svm import (
    LabeledFeatures,
    SVMSettings,
    as_targets,
    check_classes,
    decide,
    fit_all,
    fit_costs,
    in_parallel,
)
from binssl.registry import METRICS, ConfigError

#: the part that learns from all training images; the others are numbers of shots
ALL = 'all'
Part = str | int


@dataclass(frozen=True)
class SVMTask:
    """Features to learn from and to score. ``single``: each image is of one class, scored by top-1, else by mAP."""

    train: LabeledFeatures
    test: LabeledFeatures
    single: bool


@METRICS.register_module()
class LinearSVM(GatheredMetric):
    """What linear SVMs on frozen features score: one a class, each against the rest (arXiv:1905.01235).

    Where an image may be of several classes: ``svm_map``, the mean of the classes' average precisions by interpolated
    area, and ``svm_map_11_points``, by VOC 2007's own rule. Where each is of one: ``svm_top1``, the class whose SVM is
    the surest. Of K shots ``svm_map_K_shots``, their mean over the draws, and ``svm_map_K_shots_std``, the standard
    deviation. All in percent.

    A model's features in a BankAndQuery data set are scored by ``tools/test.py``, those of chosen layers, with several
    processes that fit, by ``tools/test_svm.py``.

    Args:
        full: whether to learn from all training images.
        shots: how many of each class to learn from, one result each.
        repeats: draws for each of the shots.
        costs, folds, difficult: as in :class:`SVMSettings`; of a few shots the best of the costs by the mean over the
            draws on the test images counts, as published.
        seed: of the draws.

    Raises:
        ConfigError: there is nothing to learn from, or a number out of its range.
    """

    needs = ('features', 'labels', 'banks')

    def __init__(
        self,
        full: bool = True,
        shots: Sequence[int] = (),
        repeats: int = 5,
        costs: Sequence[float] = (1.0, 10.0, 100.0),
        folds: int = 3,
        difficult: str = 'left out',
        seed: int = 0,
    ) -> None:
        super().__init__()
        if any(each < 1 for each in (*shots, repeats)):
            raise ConfigError(f'shots is {tuple(shots)!r} and repeats {repeats!r}; they must be whole numbers above 0')
        if not full and not shots:
            raise ConfigError('there is nothing to learn from: set full=True or give shots, such as [1, 2, 4]')
        self.parts: tuple[Part, ...] = (*([ALL] if full else []), *sorted(set(shots)))
        self.repeats, self.seed = repeats, seed
        self.settings = SVMSettings(tuple(float(cost) for cost in costs), folds, difficult=difficult)

    def targets(
        self, train_labels: np.ndarray, test_labels: np.ndarray, classes: Sequence[str] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The targets (N, C) and (M, C) of both sets, of which every part can be learnt and scored.

        Labels are class numbers (N,), or (N, C) of 1, 0 (difficult) and -1; ``classes`` are names for the errors.

        Raises:
            EvaluationError: a class has too few images for the folds or shots, none to score, or there is only one;
                labels are missing, or those of the two sets differ in kind.
        """
        if train_labels.ndim != test_labels.ndim or not len(train_labels) or not len(test_labels):
            raise EvaluationError(
                f'labels are {train_labels.shape} and {test_labels.shape}; those to learn from and '
                'those to score must be of one kind, and some of each'
            )
        count = train_labels.shape[1] if train_labels.ndim == 2 else max(int(train_labels.max()) + 1, 1)
        train = as_targets(train_labels, count)
        if count < 2:
            raise EvaluationError('there is only one class to learn from; at least two are needed')
        test = as_targets(test_labels, count)
        if ALL in self.parts:
            why = 'folds of cross-validation need; lower test_evaluator.0.folds'
            check_classes(train, self.settings.folds, why, classes)
        if shots := [part for part in self.parts if isinstance(part, int)]:
            check_shots(train, max(shots), train_labels.ndim == 1, classes)
        if train_labels.ndim == 2:
            check_classes(test, 1, 'an average precision of the images to score needs', classes)
        return train, test

    def measure(self, part: Part, task: SVMTask, jobs: int = 1) -> dict[str, Any]:
        """The result of one of ``parts``, as plain data; ``jobs`` processes fit at a time, the result is the same."""
        return self._measure_all(task, jobs) if part == ALL else self._measure_shots(task, int(part), jobs)

    def _measure_all(self, task: SVMTask, jobs: int) -> dict[str, Any]:
        chosen = fit_all(task.train, self.settings, jobs)
        decisions, targets = decide(task.test.features, chosen.weights), task.test.targets
        record = dict(costs=chosen.costs, validated=chosen.validated, not_converged=chosen.not_converged)
        if task.single:
            return dict(top1=_top1(decisions, targets), **record)
        areas, points = (100 * average_precisions(decisions, targets, rule) for rule in ('area', '11 points'))
        return dict(map=areas.mean(), map_11_points=points.mean(), average_precisions=areas.tolist(), **record)

    def _measure_shots(self, task: SVMTask, shots: int, jobs: int) -> dict[str, Any]:
        """An SVM for every class, draw and cost; each cost and draw is scored on all test images."""
        (features, targets), costs = (task.train.features, task.train.targets), self.settings.costs
        draws = [draw_shots(targets, shots, self.seed, repeat, task.single) for repeat in range(self.repeats)]
        tasks = [(features, *part, costs, self.settings) for drawn in draws for part in drawn]
        fits = [fit for by_cost in in_parallel(fit_costs, tasks, jobs) for fit in by_cost]
        decisions = decide(task.test.features, np.stack([fit.weights for fit in fits]))
        # (images, draws x classes x costs) -> (costs, draws, images, classes)
        ordered = decisions.reshape(len(decisions), self.repeats, -1, len(costs)).transpose(3, 1, 0, 2)
        score = _top1 if task.single else _mean_average_precision
        by_cost = np.array([[score(decided, task.test.targets) for decided in drawn] for drawn in ordered])
        best = int(by_cost.mean(1).argmax())  # of equals the lowest; on the test images, as published
        values = by_cost[best]
        return {
            'top1' if task.single else 'map': values.mean(),
            'std': values.std(),
            'lowest': values.min(),
            'highest': values.max(),
            'cost': costs[best],
            'not_converged': sum(not fit.converged for fit in fits),
            'by_cost': {str(cost): own.tolist() for cost, own in zip(costs, by_cost, strict=True)},
        }

    def score(self, samples: Mapping[str, Tensor]) -> dict[str, float]:
        """See :class:`GatheredMetric`."""
        features, labels, banks = (samples[key].numpy() for key in ('features', 'labels', 'banks'))
        banks = banks.astype(bool)
        train, test = self.targets(labels[banks], labels[~banks])
        sets = LabeledFeatures(features[banks], train), LabeledFeatures(features[~banks], test)
        task = SVMTask(*sets, single=labels.ndim == 1)
        return {key: value for part in self.parts for key, value in self.flat(part, self.measure(part, task)).items()}

    def flat(self, part: Part, record: Mapping[str, Any]) -> dict[str, float]:
        """The numbers of a result under the names that a log has."""
        behind = '' if part == ALL else f'_{part}_shots'
        named = {f'svm_{key}{behind}': record[key] for key in ('map', 'map_11_points', 'top1') if key in record}
        spread = {f'{key}_std': record['std'] for key in named if 'std' in record}
        return {key: float(value) for key, value in {**named, **spread}.items()}


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
        seed: of all draws, of which this is the ``repeat``-th.
        repeat: from 0 on.
        single: whether each image is of one class.
    """
    generator = np.random.default_rng([seed, repeat, shots])
    count = targets.shape[1]

    def draw(column: int, sign: int, number: int) -> np.ndarray:
        return generator.choice(np.flatnonzero(targets[:, column] == sign), number, replace=False)

    if single:
        drawn = [np.concatenate([draw(column, 1, shots) for column in range(count)])] * count
    else:
        others = (count - 1) * shots
        drawn = [np.concatenate([draw(column, 1, shots), draw(column, -1, others)]) for column in range(count)]
    return [(rows, targets[rows, column].astype(int)) for column, rows in enumerate(drawn)]


def check_shots(targets: np.ndarray, most: int, single: bool, classes: Sequence[str] | None = None) -> None:
    """Raises an EvaluationError where a class has fewer images than ``most`` shots draw."""
    others = targets.shape[1] - 1
    check_classes(targets, most, f'{most} shots draw; lower test_evaluator.0.shots', classes)
    if not single:
        negatives = (targets == -1).sum(0)
        if negatives.min() < others * most:
            column = int(negatives.argmin())
            raise EvaluationError(
                f'class {class_name(column, classes)} has {negatives[column]:,} negative images, fewer than the '
                f'{others} x {most} that {most} shots draw; lower test_evaluator.0.shots'
            )


def _top1(decisions: np.ndarray, targets: np.ndarray) -> float:
    """Percent of images (N, C) whose class is the surest; of equals the first."""
    return 100 * float((decisions.argmax(1) == targets.argmax(1)).mean())


def _mean_average_precision(decisions: np.ndarray, targets: np.ndarray) -> float:
    """In percent, by interpolated area."""
    return 100 * float(average_precisions(decisions, targets).mean())
