"""SimSiam's loss and gradients against the paper's formula, written out."""

from __future__ import annotations

import pytest
import torch
from algorithms.plain_network import check_gradients, mean_cosine, mlp, spread, state_of
from contracts.small import SIMSIAM, build, changed

from binssl.registry import ConfigError

TOY = dict(
    type='SimSiam',
    backbone=dict(type='Pixels'),
    neck=dict(type='PoolMLP', in_channels=12, pool='flatten'),
    head=dict(
        type='LatentPredictionHead',
        projector=dict(type='MLP', in_channels=12, widths=[9, 5], bias=False, last_norm=True, last_norm_affine=False),
        predictor=dict(type='MLP', in_channels=5, widths=[7, 5]),
    ),
)


def views() -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    return [torch.randn(8, 3, 2, 2, generator=draw, dtype=torch.float64) for _ in range(2)]


def test_loss_and_gradients_are_those_of_the_paper(tmp_path):
    model = build(TOY, tmp_path).train()
    flat = [view.flatten(1).numpy() for view in views()]
    targets = [mlp(state_of(model), 'head.projector', rows) for rows in flat]  # the stopped gradient

    def plain(state):
        predictions = [mlp(state, 'head.predictor', mlp(state, 'head.projector', rows)) for rows in flat]
        return -mean_cosine(predictions[0], targets[1]) / 2 - mean_cosine(predictions[1], targets[0]) / 2

    losses = model(views(), mode='loss')
    assert losses['loss'].item() == pytest.approx(plain(state_of(model)), rel=1e-12)
    assert losses['feature_std'].item() == pytest.approx((spread(targets[0]) + spread(targets[1])) / 2, rel=1e-10)
    losses['loss'].backward()
    check_gradients(model, plain)


def test_without_the_stopped_gradient_it_would_be_another(tmp_path):
    model = build(TOY, tmp_path).train()
    flat = [view.flatten(1).numpy() for view in views()]

    def unstopped(state):
        projections = [mlp(state, 'head.projector', rows) for rows in flat]
        predictions = [mlp(state, 'head.predictor', rows) for rows in projections]
        return -mean_cosine(predictions[0], projections[1]) / 2 - mean_cosine(predictions[1], projections[0]) / 2

    model(views(), mode='loss')['loss'].backward()
    with pytest.raises(AssertionError, match=r'head\.projector\.linear0\.weight'):
        check_gradients(model, unstopped)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(head__predictor__widths=[10, 5]), 'predictor takes 6 channels and gives 5; both must be the 6'),
        (dict(head=None), 'SimSiam: head is None; it must be dict'),
    ],
)
def test_bad_settings_are_named(changes, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        build(changed(SIMSIAM, **changes), tmp_path)
