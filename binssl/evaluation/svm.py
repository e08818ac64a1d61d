"""Linear SVMs on frozen features, one a class, as FAIR's benchmark and OpenSelfSup have them (arXiv:1905.01235)."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from binssl.evaluation.gather import EvaluationError, class_name
from binssl.registry import ConfigError, nearest_names

#: what an image is to the training of a class that is in it only as what VOC calls difficult
DIFFICULT = ('left out', 'negative')
#: bytes of a job for each number of its features: float64, and liblinear's copy of index and value
_BYTES_PER_NUMBER = 24


@dataclass(frozen=True)
class SVMSettings:
    """How the SVMs are fitted; the published numbers are the defaults.

    Each minimises ``|w|^2 / 2 + C sum_i v_i max(0, 1 - y_i (w x_i + b))^2``, the bias in the penalty, by scikit-learn's
    LinearSVC (liblinear's dual), always with the same order of samples.

    Args:
        costs: C to choose from.
        folds: of the cross-validation that chooses it for each class, by scikit-learn's average precision.
        positive_weight: v of positives; that of negatives is 1.
        tolerance: of liblinear.
        max_iterations: of liblinear.
        difficult: one of :data:`DIFFICULT`. FAIR's scripts train on them as negatives, and leave them out of scores.
    """

    costs: tuple[float, ...] = (1.0, 10.0, 100.0)
    folds: int = 3
    positive_weight: float = 2.0
    tolerance: float = 1e-4
    max_iterations: int = 2000
    difficult: str = 'left out'

    def __post_init__(self) -> None:
        if not self.costs or min(self.costs) <= 0:
            raise ConfigError(f'costs is {self.costs!r}; give one or more numbers above 0')
        if self.folds < 2:
            raise ConfigError(f'folds is {self.folds}; cross-validation needs at least 2')
        for name in ('positive_weight', 'tolerance', 'max_iterations'):
            if getattr(self, name) <= 0:
                raise ConfigError(f'{name} is {getattr(self, name)}; it must be above 0')
        if self.difficult not in DIFFICULT:
            raise ConfigError(f'difficult is {self.difficult!r}; {nearest_names(self.difficult, DIFFICULT)}')


@dataclass(frozen=True)
class LabeledFeatures:
    """Features (N, D) of any length, memory-mapped or not, with targets int8 (N, C): 1, 0 (difficult) or -1."""

    features: np.ndarray
    targets: np.ndarray

    def __post_init__(self) -> None:
        if len(self.features) != len(self.targets):
            raise EvaluationError(
                f'there are features of {len(self.features):,} images and targets of '
                f'{len(self.targets):,}; they are not of the same data'
            )


def as_targets(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Targets int8 (N, C) of labels: (N,) class numbers, or already (N, C) of 1, 0 (difficult) and -1.

    Raises:
        EvaluationError: labels are missing (negative) or outside the classes, or a target is another number.
    """
    if labels.ndim == 2:
        if labels.shape[1] != num_classes:
            raise EvaluationError(f'targets have {labels.shape[1]} columns; there are {num_classes} classes')
        strange = ~np.isin(labels, (1, 0, -1))
        if strange.any():
            raise EvaluationError(f'target {labels[strange][0]} is none of 1, 0 (difficult) and -1')
        return labels.astype(np.int8)
    if (labels < 0).any():
        raise EvaluationError(f'{int((labels < 0).sum()):,} of {len(labels):,} images have no label')
    if (labels >= num_classes).any():
        raise EvaluationError(f'label {int(labels.max())} is outside the {num_classes} classes learnt from')
    return np.where(labels[:, None] == np.arange(num_classes), 1, -1).astype(np.int8)


def check_classes(targets: np.ndarray, at_least: int, why: str, classes: Sequence[str] | None = None) -> None:
    """Raises an EvaluationError where a class has fewer than ``at_least`` images, or others than them."""
    for column in range(targets.shape[1]):
        for sign, what in ((1, 'positive'), (-1, 'negative')):
            count = int((targets[:, column] == sign).sum())
            if count < at_least:
                raise EvaluationError(
                    f'class {class_name(column, classes)} has {count:,} {what} images, fewer than '
                    f'the {at_least:,} that {why}'
                )


def unit_length(features: np.ndarray) -> np.ndarray:
    """Features (N, D) in float64, each divided by its length + 1e-5, as published.

    Raises:
        EvaluationError: they are not finite.
    """
    features = np.asarray(features, dtype=np.float64)
    if not np.isfinite(features).all():
        raise EvaluationError('the features are not finite: the network diverged or its weights are damaged')
    return features / (np.linalg.norm(features, axis=1, keepdims=True) + 1e-5)


class Fit(NamedTuple):
    """What one SVM learnt: (D + 1,) numbers, the bias last, and whether it came to its end."""

    weights: np.ndarray
    converged: bool


def build_svc(cost: float, settings: SVMSettings) -> Any:
    """scikit-learn's LinearSVC for labels 1 and -1."""
    from sklearn.svm import LinearSVC

    return LinearSVC(
        C=cost,
        class_weight={1: settings.positive_weight, -1: 1.0},
        tol=settings.tolerance,
        max_iter=settings.max_iterations,
        penalty='l2',
        loss='squared_hinge',
        dual=True,
        random_state=0,
    )


def fit_costs(
    features: np.ndarray, rows: np.ndarray, signs: np.ndarray, costs: Sequence[float], settings: SVMSettings
) -> list[Fit]:
    """One SVM for each cost, on the ``rows`` (K,) of the features with their ``signs`` (K,), 1 or -1."""
    chosen, fits = unit_length(features[rows]), []
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # that it did not converge is said by the result
        for cost in costs:
            svc = build_svc(cost, settings).fit(chosen, signs)
            weights = np.append(svc.coef_[0], svc.intercept_)
            fits.append(Fit(weights, bool(np.max(svc.n_iter_) < settings.max_iterations)))
    return fits


def cross_validate(
    features: np.ndarray, rows: np.ndarray, signs: np.ndarray, cost: float, settings: SVMSettings
) -> float:
    """Mean average precision over the folds, which keep the share of positives and the order of images."""
    from sklearn.model_selection import cross_val_score

    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        svc, chosen = build_svc(cost, settings), unit_length(features[rows])
        return float(cross_val_score(svc, chosen, signs, cv=settings.folds, scoring='average_precision').mean())


def training_rows(targets: np.ndarray, settings: SVMSettings) -> tuple[np.ndarray, np.ndarray]:
    """Rows (K,) to learn one class from by its targets (N,), and their signs (K,), 1 or -1."""
    rows = np.arange(len(targets)) if settings.difficult == 'negative' else np.flatnonzero(targets)
    return rows, np.where(targets[rows] > 0, 1, -1)


@dataclass(frozen=True)
class ChosenSVMs:
    """An SVM for each class."""

    weights: np.ndarray  # (C, D + 1)
    costs: list[float]  # (C,)
    validated: list[list[float]]  # (C, costs): what each cost scored in the folds; none where there is one alone
    not_converged: int  # how many came to no end


def fit_all(train: LabeledFeatures, settings: SVMSettings, jobs: int = 1) -> ChosenSVMs:
    """An SVM for each class on all images, at the cost that did best in cross-validation; of equals the lowest.

    ``jobs`` processes fit at a time, each with :func:`memory_of_a_job`; the result is always the same.
    """
    parts = [training_rows(column, settings) for column in train.targets.T]
    tasks = [(train.features, *part, cost, settings) for part in parts for cost in settings.costs]
    choice = len(settings.costs) > 1
    scores = np.zeros(len(tasks)) if not choice else np.array(in_parallel(cross_validate, tasks, jobs))
    validated = scores.reshape(len(parts), -1)
    costs = [settings.costs[best] for best in validated.argmax(1)]
    final = [(train.features, *part, [cost], settings) for part, cost in zip(parts, costs, strict=True)]
    fits = [fit for (fit,) in in_parallel(fit_costs, final, jobs)]
    weights = np.stack([fit.weights for fit in fits])
    return ChosenSVMs(weights, costs, validated.tolist() if choice else [], sum(not fit.converged for fit in fits))


def decide(features: np.ndarray, weights: np.ndarray, chunk: int = 4096) -> np.ndarray:
    """What SVMs with ``weights`` (K, D + 1) say of features (N, D): float64 (N, K), above 0 for the class."""
    parts = [unit_length(features[start : start + chunk]) for start in range(0, len(features), chunk)]
    return np.concatenate([part @ weights[:, :-1].T + weights[:, -1] for part in parts])


def in_parallel(function: Callable[..., Any], tasks: Iterable[tuple], jobs: int) -> list[Any]:
    """``function`` of each task's arguments, in their order; ``jobs`` processes share arrays by memory maps.

    Raises:
        ConfigError: scikit-learn, which brings joblib, is not installed.
    """
    try:
        import sklearn  # noqa: F401
        from joblib import Parallel, delayed
    except ImportError as error:
        raise ConfigError('SVMs come with scikit-learn: pip install "binssl[digits]"') from error
    return Parallel(n_jobs=jobs)(delayed(function)(*task) for task in tasks)


def memory_of_a_job(rows: int, dim: int) -> int:
    """Bytes that a process needs to fit an SVM on features (rows, dim)."""
    return _BYTES_PER_NUMBER * rows * dim


def jobs_that_fit(rows: int, dim: int) -> int:
    """As many processes as there are cores, if they fit into half of the free memory; at least one."""
    free = os.sysconf('SC_AVPHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') // 2
    return max(1, min(len(os.sched_getaffinity(0)), free // max(1, memory_of_a_job(rows, dim))))
