"""BURN's losses against the published heads and closed forms."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path

import pytest
import torch
from reference.fill import reference_images

from binssl.heads.burn import DISTANCES, balance, kl_divergence
from binssl.registry import HEADS, ConfigError

PUBLISHED = json.loads((Path(__file__).parents[1] / 'reference/losses_and_schedules.json').read_text())
FAMILIES = {'MSE': 'cosine', 'L2': 'squared', 'L1': 'absolute'}
PROJECTOR = dict(type='MLP', in_channels=50, widths=[50], norm=None)
ENTROPIES = {'teacher_entropy', 'student_entropy'}


def reference_pair() -> tuple[torch.Tensor, torch.Tensor]:
    student, target = (torch.from_numpy(reference_images((6, 50), seed)).double() for seed in (11, 12))
    return student.requires_grad_(), target.requires_grad_()


def check_published(name: str, loss: torch.Tensor, student: torch.Tensor, target: torch.Tensor) -> None:
    loss.backward()
    wanted = PUBLISHED[name]
    assert loss.item() == pytest.approx(wanted['loss'], rel=1e-12)
    assert student.grad.norm().item() == pytest.approx(wanted['grad_input_norm'], rel=1e-12)
    assert target.grad.norm().item() == pytest.approx(wanted['grad_target_norm'], rel=1e-12)


@pytest.mark.parametrize('weight', [0.1, 0.2, 0.3, 0.7])
@pytest.mark.parametrize('family', FAMILIES)
def test_functions_give_the_published_losses_and_gradients(family, weight):
    student, target = reference_pair()
    distance = DISTANCES[FAMILIES[family]](student, target)
    loss = balance(kl_divergence(student, target, 0.2), distance, weight)
    check_published(f'KLDiv{family}MovingLambdaHead/lambda={weight}', loss, student, target)


@pytest.mark.parametrize('weight', [0.1, 0.7])
@pytest.mark.parametrize('family', FAMILIES)
def test_head_with_the_released_switch_gives_the_published_losses(family, weight):
    student, target = reference_pair()
    head = HEADS.build(
        dict(
            type='BURNHead',
            projector=PROJECTOR,
            feature_similarity='outputs',
            distance=FAMILIES[family],
            temperature=0.2,
        )
    )
    head.kl_weight.fill_(weight)  # as the anneal hook does
    unread = torch.full((6, 3), torch.nan, dtype=torch.float64)
    losses = head.loss(unread, student, unread, target)
    check_published(f'KLDiv{family}MovingLambdaHead/lambda={weight}', losses['loss'], student, target)


def test_kl_of_two_classes_has_its_closed_form():
    # softmax((a, 0) / T) = (sigmoid(a / T), 1 - sigmoid(a / T))
    student, target, temperature = 0.3, -0.5, 0.2
    p, q = (1 / (1 + math.exp(-value / temperature)) for value in (target, student))
    wanted = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    logits = torch.tensor([[[student, 0.0]], [[target, 0.0]]], dtype=torch.float64)
    given = kl_divergence(*logits, temperature)
    assert given.item() == pytest.approx(wanted, rel=1e-12)


def test_kl_is_the_mean_over_images_and_finite_for_far_logits():
    one = torch.tensor([[1000.0, 0.0], [0.0, 0.0]])
    other = torch.tensor([[0.0, 0.0], [0.0, 0.0]])
    assert kl_divergence(one, one, 0.2).item() == 0
    assert kl_divergence(other, one, 0.2).item() == pytest.approx(math.log(2) / 2)  # (ln 2 + 0) / 2
    assert math.isfinite(kl_divergence(one, other, 0.2).item())


def test_distances_by_hand():
    student, target = torch.tensor([[3.0, 4.0], [1.0, 0.0]]), torch.tensor([[4.0, 3.0], [0.0, 2.0]])
    assert DISTANCES['cosine'](student, target).item() == pytest.approx(((2 - 2 * 24 / 25) + 2) / 2)
    assert DISTANCES['squared'](student, target).item() == pytest.approx((2 + 5) / 2)
    assert DISTANCES['absolute'](student, target).item() == pytest.approx((2 + 3) / 2)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_inputs_are_summed_in_float32(dtype):
    student, target = (tensor.detach().to(dtype) for tensor in reference_pair())
    for loss in (partial(kl_divergence, temperature=0.2), *DISTANCES.values()):
        given, wanted = loss(student, target), loss(student.double(), target.double())
        assert given.dtype == torch.float32
        assert given.item() == pytest.approx(wanted.item(), rel=1e-5)


@pytest.mark.parametrize(
    ('switches', 'entries'),
    [
        (dict(), {'loss', 'kl', 'feature_distance'} | ENTROPIES),
        (dict(feature_similarity=None), {'loss', 'kl'} | ENTROPIES),
        (dict(kl=False, feature_similarity='outputs'), {'loss', 'feature_distance'}),
        (dict(kl=False, projector=None, in_channels=50), {'loss', 'feature_distance'}),
    ],
)
def test_a_term_that_is_left_alone_is_not_weighted(switches, entries):
    head = HEADS.build(dict(dict(type='BURNHead', projector=PROJECTOR), **switches))
    student, target = reference_pair()
    losses = head.loss(student, student, target, target)
    assert set(losses) == entries
    terms = entries - {'loss'} - ENTROPIES
    if len(terms) == 1:
        (alone,) = terms
        assert losses['loss'].item() == losses[alone].item()


def test_features_of_another_width_are_mapped_by_the_student():
    head = HEADS.build(dict(type='BURNHead', projector=PROJECTOR, feature_channels=70)).double()
    assert head.feature_map.weight.shape == (70, 50)
    student, _ = reference_pair()
    target = torch.randn(6, 70, dtype=torch.float64)
    mapped = student @ head.feature_map.weight.T + head.feature_map.bias
    cosine = (mapped * target).sum(1) / mapped.norm(dim=1) / target.norm(dim=1)
    given = head.loss(student, student, target, student)['feature_distance']
    assert given.item() == pytest.approx(2 - 2 * cosine.mean().item(), rel=1e-12)


@pytest.mark.parametrize('similarity', ['outputs', None])
def test_no_map_is_built_where_nothing_would_read_it(similarity):
    head = HEADS.build(dict(type='BURNHead', projector=PROJECTOR, feature_channels=70, feature_similarity=similarity))
    assert head.feature_map is None


def test_scheduled_numbers_are_in_no_checkpoint():
    head = HEADS.build(dict(type='BURNHead', projector=PROJECTOR, kl_weight=0.1))
    assert not {'kl_weight', 'temperature'} & set(head.state_dict())
    assert head.kl_weight.item() == 0.1
    assert head.kl_weight.dtype == torch.float64


@pytest.mark.parametrize(
    ('switches', 'message'),
    [
        (dict(temperature=0.0), 'temperature 0.0 of BURNHead must be above 0'),
        (dict(temperature=-1.0), 'temperature -1.0 of BURNHead must be above 0'),
        (dict(kl_weight=1.5), 'kl_weight 1.5 of BURNHead must be at least 0 and at most 1'),
        (dict(kl_weight=-0.1), 'kl_weight -0.1'),
        (dict(kl_weight=float('nan')), 'kl_weight is nan; it must be a number'),
        (dict(feature_similarity='logits'), "feature_similarity 'logits' is unknown"),
        (dict(distance='cosin'), "distance 'cosin' is unknown; did you mean 'cosine'"),
        (dict(kl=False, feature_similarity=None), 'leave BURNHead without a loss'),
        (dict(projector=None), 'needs a projector'),
        (dict(kl=False), 'would never train the projector'),
        (dict(kl=False, projector=None, feature_channels=70), 'needs in_channels'),
        (dict(in_channels=40), 'in_channels 40 of BURNHead'),
        (dict(kl_wait=0.2), "does not take 'kl_wait'.*'kl_weight'"),
    ],
)
def test_bad_settings_are_named(switches, message):
    with pytest.raises(ConfigError, match=message):
        HEADS.build(dict(dict(type='BURNHead', projector=PROJECTOR), **switches))
