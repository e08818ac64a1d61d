"""Barlow Twins' loss and gradients against the paper's formula, written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from algorithms.plain_network import check_gradients, mlp, spread, state_of
from contracts.small import BARLOW_TWINS, build, changed

from binssl.registry import ConfigError

TOY = dict(
    type='BarlowTwins',
    backbone=dict(type='Pixels'),
    neck=dict(type='PoolMLP', in_channels=12, pool='flatten'),
    head=dict(
        type='CrossCorrelationHead',
        projector=dict(type='MLP', in_channels=12, widths=[9, 5], bias=False),
        redundancy_weight=0.3,
    ),
)


def views() -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    return [torch.randn(8, 3, 2, 2, generator=draw, dtype=torch.float64) for _ in range(2)]


def correlate(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """C_ij, one entry after the other; deviations with the released code's 1e-5 below the root."""
    z_a, z_b = [(rows - rows.mean(axis=0)) / np.sqrt(rows.var(axis=0) + 1e-5) for rows in (one, other)]
    images, channels = range(len(z_a)), range(z_a.shape[1])
    return np.array([[sum(z_a[b, i] * z_b[b, j] for b in images) / len(images) for j in channels] for i in channels])


def test_loss_and_gradients_are_those_of_the_paper(tmp_path):
    model = build(TOY, tmp_path).train()
    flat = [view.flatten(1).numpy() for view in views()]

    def plain(state):
        c = correlate(*[mlp(state, 'head.projector', rows) for rows in flat])
        invariance = sum((1 - c[i, i]) ** 2 for i in range(5))
        redundancy = sum(c[i, j] ** 2 for i in range(5) for j in range(5) if j != i)
        return invariance + 0.3 * redundancy

    losses = model(views(), mode='loss')
    projections = [mlp(state_of(model), 'head.projector', rows) for rows in flat]
    c = correlate(*projections)
    assert losses['loss'].item() == pytest.approx(plain(state_of(model)), rel=1e-12)
    assert losses['on_diagonal'].item() == pytest.approx(np.mean([c[i, i] for i in range(5)]), rel=1e-12)
    others = [c[i, j] ** 2 for i in range(5) for j in range(5) if j != i]
    assert losses['off_diagonal'].item() == pytest.approx(np.sqrt(np.mean(others)), rel=1e-12)
    assert losses['feature_std'].item() == pytest.approx(spread(projections[0]), rel=1e-10)
    losses['loss'].backward()
    check_gradients(model, plain)


def test_the_log_tells_both_collapses_from_the_identity(tmp_path):
    head = build(TOY, tmp_path).head
    rows = torch.from_numpy(np.random.RandomState(0).normal(size=(4000, 5)))

    def log(one: torch.Tensor, other: torch.Tensor) -> list[float]:
        given = head.loss(one, other)
        return [given[name].item() for name in ('on_diagonal', 'off_diagonal', 'feature_std')]

    assert log(rows, rows) == pytest.approx([1, 0, 1], abs=0.03)
    one_image = rows[:1].expand(4000, 5)
    assert log(one_image, one_image) == pytest.approx([0, 0, 0], abs=1e-6)
    one_channel = rows[:, :1].expand(4000, 5)
    assert log(one_channel, one_channel)[:2] == pytest.approx([1, 1], abs=1e-4)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(head__redundancy_weight=-1.0), 'redundancy_weight -1.0 of CrossCorrelationHead must be at least 0'),
        (dict(head=None), 'BarlowTwins needs a head that offers loss; none is given'),
    ],
)
def test_bad_settings_are_named(changes, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        build(changed(BARLOW_TWINS, **changes), tmp_path)
