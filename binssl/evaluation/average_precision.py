"""Average precision of a ranking, by the rules of Pascal VOC and without interpolation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from binssl.evaluation.gather import EvaluationError
from binssl.registry import nearest_names

#: the area under the interpolated curve (VOC 2010 on), its mean at 11 recalls (VOC 2007), and the plain sum of steps
RULES = ('area', '11 points', 'steps')


def precision_recall(scores: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall of "all samples scored t or higher", for every score t that occurs, from the highest on.

    Samples of equal score come together: no order among them is better than another. The published scripts of VOC and
    of FAIR's benchmark leave it to the sort.

    Args:
        scores: (N,), the higher the surer.
        targets: (N,), 1 for positives; 0 (difficult) is left out; all others are negatives.

    Returns:
        Two float64 (T,), T the number of different scores.

    Raises:
        EvaluationError: the lengths differ, a score is not finite, or there is no positive.
    """
    if scores.shape != targets.shape:
        raise EvaluationError(f'{len(scores)} scores and {len(targets)} targets; each sample needs one of both')
    if not np.isfinite(scores).all():
        raise EvaluationError('the scores are not finite: the network diverged or its weights are damaged')
    scores, positive = scores[targets != 0], targets[targets != 0] > 0
    if not positive.any():
        raise EvaluationError(f'none of the {len(scores)} samples is positive: there is no precision to average')
    order = np.argsort(-scores, kind='stable')
    ranked, found = scores[order], positive[order].cumsum()
    last = np.append(ranked[1:] != ranked[:-1], True)  # the last sample of each score
    counts = np.flatnonzero(last) + 1
    return found[last] / counts, found[last] / found[-1]


def average_precision(scores: np.ndarray, targets: np.ndarray, rule: str = 'area') -> float:
    """Average precision of one class, between 0 and 1.

    ``area``: sum_t (r_t - r_(t-1)) max_(s >= t) p_s, the area under the curve whose precision is the highest at this
    recall or beyond (VOC 2010 on; FAIR's and OpenSelfSup's SVM benchmark). ``11 points``: the mean of the same highest
    precision at recalls 0, 0.1, ..., 1 (VOC 2007, Everingham et al., IJCV 2010, section 4.2). ``steps``: sum_t
    (r_t - r_(t-1)) p_t, without interpolation (scikit-learn's ``average_precision_score``).

    Args:
        scores: (N,), the higher the surer.
        targets: (N,), 1, 0 (left out) or -1.
        rule: one of :data:`RULES`.

    Raises:
        EvaluationError: as :func:`precision_recall`, or an unknown rule.
    """
    if rule not in RULES:
        raise EvaluationError(f'there is no rule {rule!r} of average precision; {nearest_names(rule, RULES)}')
    precision, recall = precision_recall(scores, targets)
    steps = np.diff(recall, prepend=0.0)
    if rule == 'steps':
        return float(steps @ precision)
    best = np.maximum.accumulate(precision[::-1])[::-1]  # at this recall or beyond
    if rule == 'area':
        return float(steps @ best)
    # rounded: 3 of 10 found is a recall of 0.3, whatever its last bit says
    reached = np.searchsorted(np.round(recall * 10, 9), np.arange(11))
    return float(np.append(best, 0.0)[reached].mean())


def average_precisions(
    scores: np.ndarray, targets: np.ndarray, rule: str = 'area', classes: Sequence[str] | None = None
) -> np.ndarray:
    """Average precision of every class, (C,) between 0 and 1; their mean is mAP.

    Args:
        scores: (N, C).
        targets: (N, C), 1, 0 (left out of this class) or -1.
        rule: one of :data:`RULES`.
        classes: their names, for the errors.

    Raises:
        EvaluationError: as :func:`average_precision`, naming the class.
    """
    if scores.shape != targets.shape:
        raise EvaluationError(f'scores are {scores.shape}, targets {targets.shape}; they must match')
    precisions = []
    for column in range(targets.shape[1]):
        try:
            precisions.append(average_precision(scores[:, column], targets[:, column], rule))
        except EvaluationError as error:
            name = f'{column}' if classes is None else f'{column} ({classes[column]})'
            raise EvaluationError(f'class {name}: {error}') from error
    return np.array(precisions)
