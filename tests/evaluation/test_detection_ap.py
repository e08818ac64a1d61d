"""Average precision of detections: by hand, by a plain loop, and by the library's own example."""

import numpy as np
import pytest
import torch
from missing_library import hide

from binssl.evaluation import DetectionAP, EvaluationError, detection_ap
from binssl.registry import METRICS, ConfigError

RULES = ('voc07', 'area', 'coco')


def objects(boxes: list, labels: list | None = None, difficult: list | None = None) -> dict:
    labels = [0] * len(boxes) if labels is None else labels
    there = dict(boxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), labels=torch.tensor(labels).long())
    return there if difficult is None else dict(there, difficult=torch.tensor(difficult, dtype=torch.bool))


def answers(boxes: list, scores: list, labels: list | None = None) -> dict:
    return dict(objects(boxes, labels), scores=torch.tensor(scores, dtype=torch.float32))


def square(place: int, side: int = 20) -> list[int]:
    """One of a row of squares that are apart."""
    return [50 * place, 0, 50 * place + side, side]


# hit, miss, hit, miss, hit of four objects: precision 1 up to recall 1/4, then 2/3 up to 1/2, 3/5 up to 3/4, and 0
@pytest.mark.parametrize(
    ('rule', 'wanted'),
    [
        ('area', (1 + 2 / 3 + 3 / 5) / 4),
        ('voc07', (3 * 1 + 3 * 2 / 3 + 2 * 3 / 5) / 11),  # recalls 0, 0.1, 0.2; 0.3, 0.4, 0.5; 0.6, 0.7; three with 0
        ('coco', (26 * 1 + 25 * 2 / 3 + 25 * 3 / 5) / 101),
    ],
)
def test_a_ranking_by_hand(rule, wanted):
    truth = objects([square(place) for place in range(4)])
    found = answers([square(place) for place in (0, 7, 1, 8, 2)], [0.9, 0.8, 0.7, 0.6, 0.5])
    results = detection_ap([found], [truth], rule)
    assert set(results) == {'AP', 'AP50', 'AP75'}
    assert list(results.values()) == pytest.approx([100 * wanted] * 3, abs=1e-4)


def test_overlaps_count_up_to_their_threshold():
    wide = [0, 0, 20, 31]  # IoU 20 / 31 = 0.645 with the square: enough at 0.5, 0.55, 0.6
    results = detection_ap([answers([wide], [0.9])], [objects([square(0)])])
    assert results == pytest.approx(dict(AP=30, AP50=100, AP75=0))


def test_the_librarys_own_example():
    found = answers([[258.0, 41.0, 606.0, 285.0]], [0.536])
    results = detection_ap([found], [objects([[214.0, 41.0, 562.0, 285.0]])], 'coco')
    assert results == pytest.approx(dict(AP=60, AP50=100, AP75=100), abs=1e-4)


def test_difficult_objects_are_neither_demanded_nor_wrong():
    truth = objects([square(0), square(1)], difficult=[False, True])
    missed = detection_ap([answers([square(0)], [0.5])], [truth])
    found = detection_ap([answers([square(0), square(1)], [0.5, 0.9])], [truth])
    assert missed == found == pytest.approx(dict(AP=100, AP50=100, AP75=100))
    beside = [52, 2, 60, 12]  # within the difficult one, but a fifth of it: wrong as any other
    assert detection_ap([answers([square(0), beside], [0.5, 0.9])], [truth], 'area')['AP50'] == pytest.approx(50)


def test_a_second_detection_of_an_object_is_wrong():
    truth = objects([square(0), square(1)])
    found = answers([square(0), square(0), square(1)], [0.9, 0.8, 0.7])
    assert detection_ap([found], [truth], 'area')['AP50'] == pytest.approx(100 * (1 + 2 / 3) / 2, abs=1e-4)


def test_the_mean_is_over_classes_with_objects_to_find():
    truths = [objects([square(0)], [0]), objects([square(0)], [3]), objects([square(0)], [5], [True])]
    found = [answers([square(0)], [0.9], [0]), answers([], []), answers([square(0)], [0.9], [7])]
    assert detection_ap(found, truths)['AP50'] == pytest.approx(50)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    common = max(sides[0], 0) * max(sides[1], 0)
    return common / (np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - common)


def loop_ap(found: list, truths: list, label: int, least: float, rule: str) -> float:
    """The rules in words, one detection after the other."""
    ranked = sorted(
        (
            (float(score), image, box.numpy())
            for image, own in enumerate(found)
            for box, score, kind in zip(own['boxes'], own['scores'], own['labels'], strict=True)
            if kind == label
        ),
        key=lambda row: -row[0],
    )
    taken, hits = set(), []
    for _, image, box in ranked:
        truth, best = truths[image], {False: (least, None), True: (least, None)}
        for place, (other, kind, hard) in enumerate(
            zip(truth['boxes'].numpy(), truth['labels'], truth['difficult'], strict=True)
        ):
            value = overlap(box, other) if kind == label and (image, place) not in taken else 0
            if value >= best[bool(hard)][0]:
                best[bool(hard)] = (value, place)
        place = best[False][1] if best[False][1] is not None else best[True][1]
        if place is not None:
            taken.add((image, place))
        if best[False][1] is not None or place is None:
            hits.append(place is not None)
    count = sum(int(((truth['labels'] == label) & ~truth['difficult']).sum()) for truth in truths)
    curve = [(sum(hits[: n + 1]) / count, sum(hits[: n + 1]) / (n + 1)) for n in range(len(hits))]
    points = dict(
        voc07=[n / 10 for n in range(11)], coco=np.linspace(0, 1, 101), area=[(n + 1) / count for n in range(count)]
    )[rule]
    return float(np.mean([max((p for r, p in curve if r >= point), default=0) for point in points]))


@pytest.mark.parametrize('rule', RULES)
@pytest.mark.parametrize('seed', [0, 1])
def test_random_images_agree_with_a_plain_loop(rule, seed):
    draw = np.random.RandomState(seed)
    found, truths = [], []
    for _ in range(12):
        count, extra = draw.randint(1, 5), draw.randint(0, 4)
        corners = draw.uniform(0, 100, (count, 2))
        boxes = np.concatenate([corners, corners + draw.uniform(10, 40, (count, 2))], 1)
        labels = draw.randint(0, 3, count)
        moved = np.concatenate([boxes, boxes[:extra]]) + draw.normal(0, 3, (count + len(boxes[:extra]), 4))
        kinds = np.concatenate([labels, labels[:extra]])
        truths.append(objects(boxes.tolist(), labels.tolist(), (draw.rand(count) < 0.25).tolist()))
        found.append(answers(moved.tolist(), draw.rand(len(moved)).tolist(), kinds.tolist()))
    classes = {int(label) for truth in truths for label in truth['labels'][~truth['difficult']]}
    results = detection_ap(found, truths, rule)
    for name, least in (('AP50', 0.5), ('AP75', 0.75)):
        wanted = 100 * np.mean([loop_ap(found, truths, label, least, rule) for label in classes])
        assert 5 < wanted < 95
        assert results[name] == pytest.approx(wanted, abs=1e-3)


def batch(indices: list[int], found: list[dict], truths: list[dict]) -> dict:
    told = {key: [truth[key] for truth in truths] for key in truths[0]}
    return dict(detections=found, indices=torch.tensor(indices), **told)


def test_images_count_once_and_in_any_order():
    truths = [objects([square(place)], difficult=[False]) for place in range(3)]
    found = [answers([square(place)], [0.9 - place / 10]) for place in (0, 8, 2)]
    metric = METRICS.build(dict(type='DetectionAP', rule='area'))
    metric.process(None, [batch([2, 0], [found[2], found[0]], [truths[2], truths[0]])])
    metric.process(None, [batch([1, 0], [found[1], found[0]], [truths[1], truths[0]])])  # 0 fills the share up
    assert metric.evaluate(4) == pytest.approx(detection_ap(found, truths, 'area'))


def test_planted_boxes_score_everything_and_shuffled_labels_chance():
    draw = np.random.RandomState(0)
    kinds = draw.randint(0, 4, 80)
    truths = [objects([square(0)], [int(kind)]) for kind in kinds]
    planted = [answers([square(0)], [1 - place / 100], [int(kind)]) for place, kind in enumerate(kinds)]
    assert detection_ap(planted, truths)['AP'] > 99.9
    shuffled = [
        answers([square(0)], [1 - place / 100], [int(kind)]) for place, kind in enumerate(draw.permutation(kinds))
    ]
    assert detection_ap(shuffled, truths, 'area')['AP50'] < 20  # a fourth of a class is met, at a precision of a fourth


def test_bad_input_is_told():
    with pytest.raises(ConfigError, match="no rule of average precision is called 'voc12'"):
        DetectionAP('voc12')
    with pytest.raises(EvaluationError, match='no object to find in 1 images'):
        detection_ap([answers([square(0)], [0.9])], [objects([square(0)], difficult=[True])])
    with pytest.raises(EvaluationError, match='not finite'):
        detection_ap([answers([square(0)], [float('nan')])], [objects([square(0)])])
    with pytest.raises(EvaluationError, match='detections of 0 images and objects of 1'):
        detection_ap([], [objects([square(0)])])
    with pytest.raises(EvaluationError, match="needs 'detections', 'boxes' of every sample"):
        DetectionAP().process(None, [dict(features=torch.zeros(1, 2), labels=torch.zeros(1), indices=torch.zeros(1))])
    with pytest.raises(EvaluationError, match='no image'):
        DetectionAP().evaluate(0)


def test_a_missing_library_is_told_at_once(monkeypatch):
    hide(monkeypatch, 'torchmetrics')
    with pytest.raises(ConfigError, match=r'pip install "binssl\[detection\]"'):
        DetectionAP()
