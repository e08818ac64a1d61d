"""Average precision of detections, counted by torchmetrics and pycocotools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from binssl.evaluation.gather import EvaluationError, GatheredMetric
from binssl.registry import METRICS, ConfigError, nearest_names

RULES = ('voc07', 'area', 'coco')
#: overlaps (IoU) from which on an object counts as found
OVERLAPS = np.linspace(0.5, 0.95, 10)
#: box areas beyond all that the library counts; it neither demands nor forbids to find such an object
_NEITHER = 1e12

Objects = Mapping[str, Tensor]


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
        rule: one of :data:`RULES`.

    Raises:
        EvaluationError: no object is demanded, numbers that are not finite, or lists of different length.
        ConfigError: an unknown rule, or a library is missing.
    """
    _check_rule(rule)
    if len(detections) != len(truths):
        raise EvaluationError(f'detections of {len(detections)} images and objects of {len(truths)}: give one of each')
    ill = [
        place
        for place, found in enumerate(detections)
        if not (found['boxes'].isfinite().all() and found['scores'].isfinite().all())
    ]
    if ill:
        raise EvaluationError(
            f'detections in {len(ill)} of {len(detections)} images are not finite: the network '
            'diverged or its weights are damaged'
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
            area = torch.where(difficult, _NEITHER, _areas(boxes))
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


def _areas(boxes: Tensor) -> Tensor:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _check_rule(rule: str) -> None:
    if rule not in RULES:
        raise ConfigError(f'no rule of average precision is called {rule!r}; {nearest_names(rule, RULES)}')


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
            missing = [key for key in (*self.needs, 'indices') if batch.get(key) is None]
            if missing:
                raise EvaluationError(
                    f'DetectionAP needs {", ".join(map(repr, missing))} of every image; the data set '
                    f'and the model give only {sorted(batch)}'
                )
            self.results += list(_images(batch))

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


def _images(batch: Mapping[str, Any]) -> Iterator[tuple[int, Objects, Objects]]:
    """Index, answers and objects of each image."""
    told = [key for key in ('boxes', 'labels', 'difficult') if batch.get(key) is not None]
    for place, index in enumerate(batch['indices'].tolist()):
        found = {
            key: value.detach().cpu().float() if value.is_floating_point() else value.cpu()
            for key, value in batch['detections'][place].items()
        }
        yield index, found, {key: batch[key][place].cpu() for key in told}
