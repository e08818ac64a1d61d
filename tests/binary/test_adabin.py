"""AdaBin's equations in plain numbers, and what is differentiable of them by finite differences."""

from __future__ import annotations

import math

import pytest
import torch

from binssl.registry import BINARIZERS

DOUBLE = torch.float64


def triangle(value: float) -> float:
    return max(0.0, 2 - 2 * abs(value))


def test_weights_against_a_loop():
    torch.manual_seed(0)
    weight = torch.randn(3, 2, 2, 2, dtype=DOUBLE) + 0.3
    binary = BINARIZERS.build(dict(type='AdaptiveWeightSign'))(weight)
    for filter_, values in zip(weight.flatten(1).tolist(), binary.flatten(1).tolist(), strict=True):
        beta = sum(filter_) / len(filter_)
        alpha = math.sqrt(sum((w - beta) ** 2 for w in filter_)) / math.sqrt(len(filter_))
        assert values == pytest.approx([beta + alpha if w >= beta else beta - alpha for w in filter_], rel=1e-13)


def test_weights_have_the_mean_and_the_deviation_of_their_filter_where_both_values_are_as_frequent():
    weight = torch.tensor([[-3.0, -1.0, 2.0, 4.0]], dtype=DOUBLE)
    binary = BINARIZERS.build(dict(type='AdaptiveWeightSign'))(weight)
    assert binary.mean().item() == pytest.approx(weight.mean().item())
    assert binary.std().item() == pytest.approx(weight.std().item())


def test_preparation_and_levels_of_the_weights_by_finite_differences():
    torch.manual_seed(0)
    part = BINARIZERS.build(dict(type='AdaptiveWeightSign'))
    weight = torch.randn(3, 2, 2, dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(part.prepare, weight)
    assert torch.autograd.gradcheck(lambda w: part.levels(w)[:2], weight)


def test_filter_of_equal_weights_has_finite_values_and_gradients():
    weight = torch.full((2, 3, 1, 1), 0.5, requires_grad=True)
    y = BINARIZERS.build(dict(type='AdaptiveWeightSign'))(weight)
    y.square().sum().backward()
    torch.testing.assert_close(y, torch.full_like(y, 0.5))
    assert weight.grad.isfinite().all()


def test_gradients_of_the_activations_against_a_loop():
    torch.manual_seed(0)
    part = BINARIZERS.build(dict(type='AdaptiveActivationSign')).double()
    with torch.no_grad():
        part.alpha.fill_(0.7)
        part.beta.fill_(-0.3)
    x = torch.randn(2, 3, 2, 2, dtype=DOUBLE, requires_grad=True)
    above = torch.randn_like(x)
    y = part(x)
    (y * above).sum().backward()
    d_alpha = d_beta = 0.0
    for value, out, grad, g in zip(*(t.flatten().tolist() for t in (x, y, x.grad, above)), strict=True):
        x1 = (value + 0.3) / 0.7
        sign = 1 if x1 >= 0 else -1
        assert out == pytest.approx(0.7 * sign - 0.3)
        assert grad == pytest.approx(g * triangle(x1))
        d_alpha += g * (sign - x1 * triangle(x1))
        d_beta += g * (1 - triangle(x1))
    assert part.alpha.grad.item() == pytest.approx(d_alpha)
    assert part.beta.grad.item() == pytest.approx(d_beta)


def test_activations_begin_as_the_plain_sign():
    x = torch.randn(2, 3, 2, 2, dtype=DOUBLE, requires_grad=True)
    parts = [BINARIZERS.build(dict(type=kind)).double() for kind in ('AdaptiveActivationSign', 'ApproxSign')]
    values = [part(x) for part in parts]
    assert torch.equal(*values)
    assert torch.equal(*(torch.autograd.grad(y.sum(), x)[0] for y in values))
