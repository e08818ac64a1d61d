"""BYOL's loss and gradients against the paper's formula, written out."""

from __future__ import annotations

import pytest
import torch
from algorithms.plain_network import check_gradients, mean_cosine, mlp, spread, state_of
from contracts.small import BYOL, build, changed

from binssl.registry import ConfigError

TOY = dict(
    type='BYOL',
    backbone=dict(type='Pixels'),
    neck=dict(type='PoolMLP', in_channels=12, pool='flatten'),
    head=dict(
        type='LatentPredictionHead',
        projector=dict(type='MLP', in_channels=12, widths=[9, 5]),
        predictor=dict(type='MLP', in_channels=5, widths=[7, 5]),
    ),
    teacher=dict(type='MomentumTeacher', momentum=0.9),
)


def views() -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    return [torch.randn(8, 3, 2, 2, generator=draw, dtype=torch.float64) for _ in range(2)]


@pytest.fixture
def model(tmp_path):
    model = build(TOY, tmp_path).train()
    with torch.no_grad():  # a teacher that is not the student
        for weight in model.teacher.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.3)
    return model


def test_loss_and_gradients_are_those_of_the_paper(model):
    flat = [view.flatten(1).numpy() for view in views()]
    targets = [mlp(state_of(model), 'teacher.head', rows) for rows in flat]

    def plain(state):
        predictions = [mlp(state, 'head.predictor', mlp(state, 'head.projector', rows)) for rows in flat]
        one = 2 - 2 * mean_cosine(predictions[0], targets[1])
        return one + 2 - 2 * mean_cosine(predictions[1], targets[0])

    losses = model(views(), mode='loss')
    assert losses['loss'].item() == pytest.approx(plain(state_of(model)), rel=1e-12)
    projections = [mlp(state_of(model), 'head.projector', rows) for rows in flat]
    wanted = (spread(projections[0]) + spread(projections[1])) / 2
    assert losses['feature_std'].item() == pytest.approx(wanted, rel=1e-10)
    losses['loss'].backward()
    check_gradients(model, plain)


def test_teacher_copies_the_projector_and_not_the_predictor_and_follows(model):
    own = {name for name, _ in model.teacher.named_parameters()}
    assert own == {f'head.{name}' for name, _ in model.head.projector.named_parameters()}
    before = model.teacher.head.linear0.weight.clone()
    model.teacher.update()
    wanted = 0.9 * before + 0.1 * model.head.projector.linear0.weight
    torch.testing.assert_close(model.teacher.head.linear0.weight, wanted)
    model.teacher.restart()
    assert torch.equal(model.teacher.head.linear0.weight, model.head.projector.linear0.weight)


def test_equal_views_of_a_perfect_predictor_cost_nothing(tmp_path):
    model = build(TOY, tmp_path).eval()
    model.head.predictor = torch.nn.Identity()
    view = views()[0]
    assert model([view, view], mode='loss')['loss'].item() == pytest.approx(0, abs=1e-12)


def test_momentum_starts_as_in_the_paper(tmp_path):
    config = {key: value for key, value in TOY.items() if key != 'teacher'}
    assert build(config, tmp_path).teacher.momentum == 0.996


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(teacher__momentum=1.1), r'momentum 1.1 of MomentumTeacher must lie in \[0, 1\]'),
        (dict(teacher__momentum=-0.1), 'momentum -0.1'),
        (dict(head__predictor__in_channels=7), 'predictor takes 7 channels and gives 6; both must be the 6'),
        (dict(head__predictor__widths=[10, 5]), 'predictor takes 6 channels and gives 5'),
        (dict(head__projector__in_channels=13), 'the head takes 13 channels, the neck gives 12'),
        (dict(head=dict(type='LinearHead', num_classes=2, in_channels=12)), 'BYOL needs a head that offers projector'),
    ],
)
def test_bad_settings_are_named(changes, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        build(changed(BYOL, **changes), tmp_path)
