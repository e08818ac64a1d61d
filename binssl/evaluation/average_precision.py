"""Average precision: of rankings, by the rules of Pascal VOC and without interpolation, and of detections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import box_area

from binssl.evaluation.gather import EvaluationError, GatheredMetric, class_name
from binssl.registry import METRICS, ConfigError, nearest_names

#: the area under the interpolated curve (VOC 2010 on), its mean at 11 recalls (VOC 2007), and the plain sum of steps
RULES = ('area', '11 points', 'steps')
#: of detections: VOC's two and COCO's mean at 101 recalls
DETECTION_RULES = ('voc07', 'area', 'coco')
#: overlaps (IoU) from which on an object counts as found
OVERLAPS = np.linspace(0.5, 0.95, 10)
#: box areas beyond all that the library counts; it neither demands nor forbids to find such an object
_NEITHER = 1e12

Objects = Mapping[str, Tensor]


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
    for column, pair in enumerate(zip(scores.T, targets.T, strict=True)):
        try:
            precisions.append(average_precision(*pair, rule))
        except EvaluationError as error:
            raise EvaluationError(f'class {class_name(column, classes)}: {error}') from error
    return np.array(precisions)


def detection_ap(detections: Sequence[Objects], truths: Sequence[Objects], rule: str = 'voc07') -> dict[str, float]:
    """``AP`` (mean over IoU 0.5, 0.55, ..., 0.95), ``AP50`` and ``AP75``, in percent: means over the classes.

    With p(r) the highest precision at recall r or beyond, the average precision of a class is

    - voc07: the mean of p(0), p(0.1), ..., p(1) (VOC 2007, and what detectron2 reports of it)
    - area: the area under p (VOC 2010 on)
    - coco: the mean of p(0), p(0.01), ..., p(1)

    An object is found by the surest detection that overlaps it enough; any other one of it is wrong. Difficult objects
    are not demanded, and one detection of each that overlaps it as any other is not counted. At most 100 detections of
    a class count in an image. A class without an object that is demanded is left out.

    What differs from detectron2 and VOC's own script is the library's: there a detection belongs to the object that it
    overlaps most, though another detection has it already; here to the one it overlaps most of those not yet found, and
    to a difficult one only where there is no other. There all detections of a difficult object are passed over, here
    one. There boxes are a pixel larger in each direction (both ends count), here they reach from edge to edge.

    Args:
        detections: for each image ``boxes`` (M, 4) of x1, y1, x2, y2, ``scores`` (M,) and ``labels`` (M,).
        truths: for each image ``boxes``, ``labels`` and, where some are, ``difficult`` bool (M,).
        rule: one of :data:`DETECTION_RULES`.

    Raises:
        EvaluationError: no object is demanded, numbers that are not finite, or lists of different length.
        ConfigError: an unknown rule, or a library is missing.
    """
    _check_rule(rule)
    if len(detections) != len(truths):
        raise EvaluationError(f'detections of {len(detections)} images and objects of {len(truths)}: give one of each')
    ill = sum(not all(found[key].isfinite().all() for key in ('boxes', 'scores')) for found in detections)
    if ill:
        raise EvaluationError(
            f'detections in {ill} of {len(detections)} images are not finite: the network diverged or its weights are '
            'damaged'
        )
    demanded = {int(label) for truth in truths for label in truth['labels'][~_difficult(truth)]}
    if not demanded:
        raise EvaluationError(f'there is no object to find in {len(truths)} images: evaluate on images with boxes')
    scores = 100 * np.mean([_class_ap(detections, truths, label, rule) for label in sorted(demanded)], axis=0)
    return dict(AP=float(scores.mean()), AP50=float(scores[0]), AP75=float(scores[5]))


def _class_ap(detections: Sequence[Objects], truths: Sequence[Objects], label: int, rule: str) -> np.ndarray:
    """Average precision of a class at each of :data:`OVERLAPS`, between 0 and 1."""
    found, there, count = [], [], 0
    for answer, truth in zip(detections, truths, strict=True):
        own, objects = answer['labels'] == label, truth['labels'] == label
        if own.any() or objects.any():
            difficult = _difficult(truth)[objects]
            count += int((~difficult).sum())
            boxes = truth['boxes'][objects].float()
            area = torch.where(difficult, _NEITHER, box_area(boxes))
            found.append({key: answer[key][own] for key in ('boxes', 'scores', 'labels')})
            there.append(dict(boxes=boxes, labels=truth['labels'][objects], area=area))
    recalls = {'voc07': np.arange(11) / 10, 'coco': np.linspace(0, 1, 101), 'area': np.arange(1, count + 1) / count}
    counted = _new_library_metric(recalls[rule].tolist())
    counted.warn_on_many_detections = False
    counted.update(found, there)
    precision = counted.compute()['precision']  # (overlaps, recalls, classes, sizes of object, detections an image)
    return precision[:, :, 0, 0, -1].mean(1).double().numpy()


def _new_library_metric(recalls: list[float]) -> Any:
    try:
        import pycocotools  # noqa: F401
        from torchmetrics.detection import MeanAveragePrecision
    except ImportError as error:
        raise ConfigError(
            'the average precision of detections is counted by torchmetrics and pycocotools, which are '
            'not both installed: pip install "binssl[detection]"'
        ) from error
    return MeanAveragePrecision(
        iou_thresholds=OVERLAPS.tolist(), rec_thresholds=recalls, extended_summary=True, sync_on_compute=False
    )  # one process scores for all


def _difficult(truth: Objects) -> Tensor:
    """Whether each object is difficult; none is where that is not said: bool (M,)."""
    return truth['difficult'].bool() if 'difficult' in truth else torch.zeros(len(truth['labels']), dtype=torch.bool)


def _check_rule(rule: str) -> None:
    if rule not in DETECTION_RULES:
        raise ConfigError(f'no rule of average precision is called {rule!r}; {nearest_names(rule, DETECTION_RULES)}')


@METRICS.register_module()
class DetectionAP(GatheredMetric):
    """``AP``, ``AP50`` and ``AP75`` of a detector's answers, see :func:`detection_ap`; of a model with ``detections``.

    Args:
        rule: 'voc07', 'area' or 'coco'.

    Raises:
        ConfigError: an unknown rule, or a library is missing.
    """

    needs = ('detections', 'boxes', 'labels')

    def __init__(self, rule: str = 'voc07') -> None:
        super().__init__()
        _check_rule(rule)
        _new_library_metric([0.0])  # better missed now than after an epoch
        self.rule = rule

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Keep the answers and objects of each image of one batch, on the CPU."""
        for batch in data_samples:
            self.check_batch(batch)
            told = [key for key in ('boxes', 'labels', 'difficult') if batch.get(key) is not None]
            for place, index in enumerate(batch['indices'].tolist()):
                found = {
                    key: value.detach().cpu().float() if value.is_floating_point() else value.cpu()
                    for key, value in batch['detections'][place].items()
                }
                self.results.append((index, found, {key: batch[key][place].cpu() for key in told}))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Score all images, each once and in order."""
        if not results:
            raise EvaluationError('DetectionAP was given no image: the data set is empty')
        images = {index: (found, truth) for index, found, truth in results}
        found, truths = zip(*(images[index] for index in sorted(images)), strict=True)
        return self.score(dict(detections=found, truths=truths))

    def score(self, samples: dict[str, Any]) -> dict[str, float]:
        """The results, in percent, of all images: ``detections`` and ``truths``, for each image as it has so many."""
        return detection_ap(samples['detections'], samples['truths'], self.rule)
