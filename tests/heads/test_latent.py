"""The cosine of BYOL and SimSiam and the spread of their latents against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from binssl.core.precision import feature_std
from binssl.heads.latent import negative_cosine


def rows(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_negative_cosine_and_its_gradient_equal_the_closed_forms():
    predictions, targets = rows(0, 5, 4).requires_grad_(), rows(1, 5, 4).requires_grad_()
    loss = negative_cosine(predictions, targets)
    loss.backward()
    total = 0.0
    for index in range(5):
        p, z = predictions[index].detach(), targets[index].detach()
        cosine = p @ z / (p.norm() * z.norm())
        total -= cosine.item() / 5
        # d cos / dp = (z / |z| - cos p / |p|) / |p|
        slope = -(z / z.norm() - cosine * p / p.norm()) / p.norm() / 5
        torch.testing.assert_close(predictions.grad[index], slope, rtol=1e-12, atol=1e-14)
    assert loss.item() == pytest.approx(total, rel=1e-12)
    assert targets.grad is None


def test_negative_cosine_is_taken_in_float32_from_half_precision():
    predictions, targets = rows(0, 64, 300), rows(1, 64, 300)
    given = negative_cosine(predictions.bfloat16(), targets.bfloat16())
    assert given.dtype == torch.float32
    wanted = negative_cosine(predictions.bfloat16().double(), targets.bfloat16().double())
    assert given.item() == pytest.approx(wanted.item(), abs=1e-6)


def test_spread_is_nought_where_all_rows_point_one_way_and_one_over_the_sphere():
    collapsed = rows(0, 1, 16) * (1 + torch.arange(6).view(6, 1))
    assert feature_std(collapsed).item() == pytest.approx(0, abs=1e-6)
    axes = torch.cat([torch.eye(16), -torch.eye(16)]).double()
    assert feature_std(axes).item() == pytest.approx(1, rel=1e-12)
    assert feature_std(rows(0, 20000, 16)).item() == pytest.approx(1, rel=1e-2)


def test_spread_of_a_half_collapsed_batch_is_in_between():
    # half of the channels are constant: (1, ..., +-1, ...) / sqrt(16)
    batch = torch.cat([torch.ones(256, 8).double(), rows(0, 256, 8).sign()], dim=1)
    assert feature_std(batch).item() == pytest.approx(0.5, rel=1e-2)
    assert not feature_std(batch.requires_grad_()).requires_grad
    assert math.isfinite(feature_std(torch.zeros(4, 3)).item())
