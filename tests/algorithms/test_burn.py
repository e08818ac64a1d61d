"""BURN: crossed views, what is logged, and configs that do not fit."""

from __future__ import annotations

import copy

import pytest
import torch
from contracts.small import BURN, batch, build, changed
from torch.nn import functional as F

from binssl.registry import ConfigError

RELEASED = changed(BURN, head__feature_similarity='outputs', train_target_head=False)


def log_p(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    return F.log_softmax(logits / temperature, dim=1)


@pytest.mark.parametrize('weight', [0.0, 0.3, 1.0])
@pytest.mark.parametrize('released', [False, True])
def test_loss_is_the_balanced_sum_over_crossed_views(released, weight, tmp_path):
    model = build(RELEASED if released else BURN, tmp_path).eval()
    model.head.kl_weight.fill_(weight)
    views = model.data_preprocessor(batch(2))['images']
    wanted = 0.0
    for own, other in ((0, 1), (1, 0)):
        k = model.neck(model.backbone(views[own]))
        h = model.teacher.extract(views[other])
        z_s, z_t = model.head.projector(k), model.target_head(h)
        kl = (log_p(z_t, 0.2).exp() * (log_p(z_t, 0.2) - log_p(z_s, 0.2))).sum(1).mean()
        ours, theirs = (z_s, z_t) if released else (model.head.feature_map(k), h)
        distance = (F.normalize(ours) - F.normalize(theirs)).square().sum(1).mean()
        wanted = wanted + (1 - weight) * distance + weight * kl
    given = model(views, mode='loss')['loss']
    assert given.item() == pytest.approx(wanted.item(), rel=1e-10)


def test_log_holds_the_unweighted_means_of_the_crossings(tmp_path):
    model = build(BURN, tmp_path).eval()
    losses = model(**model.data_preprocessor(batch(2)), mode='loss')
    weight = model.head.kl_weight
    assert weight.item() == 0.1
    wanted = 2 * ((1 - weight) * losses['feature_distance'] + weight * losses['kl'])
    assert losses['loss'].item() == pytest.approx(wanted.item(), rel=1e-12)


def test_entropies_are_those_of_both_softmaxes_over_the_crossings(tmp_path):
    model = build(BURN, tmp_path).eval()
    views = model.data_preprocessor(batch(2))['images']
    losses = model(views, mode='loss')
    answers = dict(
        teacher_entropy=[model.target_head(model.teacher.extract(view)) for view in views],
        student_entropy=[model.head(model.extract(view)) for view in views],
    )
    for name, logits in answers.items():
        terms = [-(log_p(row, 0.2).exp() * log_p(row, 0.2)).sum(1).mean().item() for row in logits]
        assert losses[name].item() == pytest.approx(sum(terms) / 2, rel=1e-12)
        assert not losses[name].requires_grad


def test_information_is_that_of_the_targets_answers(tmp_path):
    model = build(BURN, tmp_path).train()
    with torch.no_grad():  # the trivial solution: g says the same of every image
        model.target_head.linear1.weight.zero_()
    losses = model(**model.data_preprocessor(batch(2)), mode='loss')
    assert losses['information'].item() == pytest.approx(0, abs=1e-12)
    with torch.no_grad():
        model.target_head.linear1.weight.normal_(std=100)
    losses = model(**model.data_preprocessor(batch(2)), mode='loss')
    assert 1 < losses['information'].item() <= torch.tensor(16.0).log().item()


def test_gradient_flows_into_the_target_only_where_it_is_trained(tmp_path):
    trained = build(BURN, tmp_path).train()
    frozen = build(changed(BURN, train_target_head=False), tmp_path).train()
    for model in (trained, frozen):
        model(**model.data_preprocessor(batch(2)), mode='loss')['loss'].backward()
    assert all(weight.grad is not None for weight in trained.target_head.parameters())
    assert all(weight.grad is None for weight in frozen.target_head.parameters())
    ours, theirs = trained.backbone.stem.conv.weight.grad, frozen.backbone.stem.conv.weight.grad
    torch.testing.assert_close(ours, theirs)  # the student's gradient is the same


def test_moved_temperature_and_weight_reach_the_loss(tmp_path):
    model = build(BURN, tmp_path).eval()
    data = model.data_preprocessor(batch(2))
    values = [model(**data, mode='loss')['loss'].item()]
    model.head.kl_weight.fill_(0.3)
    values.append(model(**data, mode='loss')['loss'].item())
    model.head.temperature.fill_(0.5)
    values.append(model(**data, mode='loss')['loss'].item())
    assert len(set(values)) == 3


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(target_head=None), 'BURN needs a target_head'),
        (dict(head__kl=False, head__projector=None, head__in_channels=12), 'never reads the target_head'),
        (dict(target_head__in_channels=10), 'the target_head takes 10 channels, the teacher gives 16'),
        (dict(target_head__widths=[20, 30]), 'the loss takes 20 channels, the target_head gives 30'),
        (
            dict(head__feature_channels=None),
            "teacher's features have 16 channels, the head compares 12: set head.feature_channels=16",
        ),
        (dict(head__projector__in_channels=16), 'the head takes 16 channels, the neck gives 12'),
        (dict(head__kl_weight=2), 'kl_weight 2 of BURNHead'),
        (dict(teacher__checkpoint=None), 'a frozen teacher needs a checkpoint'),
        (dict(teacher__checkpoint='nowhere/teacher.pth'), 'is missing: nowhere/teacher.pth; train one'),
        (dict(train_taget_head=True), "does not take 'train_taget_head'.*'train_target_head'"),
    ],
)
def test_bad_settings_are_named(changes, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        build(changed(BURN, **changes), tmp_path)


def test_deep_copies_are_independent(tmp_path):
    model = build(BURN, tmp_path).eval()
    other = copy.deepcopy(model)
    data = model.data_preprocessor(batch(2))
    wanted = model(**data, mode='loss')['loss'].item()
    with torch.no_grad():
        for weight in other.teacher._hidden[0].parameters():
            weight.zero_()
    assert model(**data, mode='loss')['loss'].item() == wanted
