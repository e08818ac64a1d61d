"""ReCU's preparations against loops written from the paper's formulas, in plain float64 numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from binssl.binary import rectify, unit_variance

DOUBLE = torch.float64


def deviation(values: list[float]) -> float:
    """sqrt(var + 1e-5), the variance with n - 1."""
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1) + 1e-5)


def rectified(weight: np.ndarray, tau: float) -> np.ndarray:
    """w2 of the paper, filter by filter and number by number."""
    rows = weight.reshape(len(weight), -1).tolist()
    standard = []
    for row in rows:
        mean, spread = sum(row) / len(row), deviation(row)
        standard.append([2 * math.sqrt(2) * (value - mean) / spread for value in row])
    flat = [value for row in standard for value in row]
    quantile = -sum(map(abs, flat)) / len(flat) * math.log(2 - 2 * tau) if tau < 1 else math.inf
    return np.array([min(max(value, -quantile), quantile) for value in flat]).reshape(weight.shape)


def written_out(weight: Tensor, tau: float) -> Tensor:
    """The formula as torch operations, for the gradient that autograd finds."""
    centred = weight - weight.mean((1, 2, 3), keepdim=True)
    standard = 2 * math.sqrt(2) * centred / (centred.var((1, 2, 3), keepdim=True) + 1e-5).sqrt()
    quantile = (-standard.abs().mean() * math.log(2 - 2 * tau)).item() if tau < 1 else math.inf
    return standard.clamp(-quantile, quantile)


def weights(dtype: torch.dtype = DOUBLE) -> Tensor:
    """Filters of different mean and spread, one of them long-tailed."""
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(4, 3, 3, 3, generator=draw, dtype=DOUBLE) * torch.tensor([0.02, 0.3, 1, 2]).view(4, 1, 1, 1)
    weight[1].pow_(3)
    return (weight + torch.tensor([0.1, 0, -0.5, 1]).view(4, 1, 1, 1)).to(dtype).requires_grad_()


@pytest.mark.parametrize('tau', [0.6, 0.85, 0.99, 1])
def test_rectified_weights_are_the_papers(tau):
    weight = weights()
    got = rectify(weight, torch.tensor(tau, dtype=DOUBLE))
    np.testing.assert_allclose(got.detach(), rectified(weight.detach().numpy(), tau), rtol=1e-12)
    clamped = (got.detach().abs() == got.detach().abs().max()).sum().item()
    assert clamped > 1 if tau < 0.99 else clamped >= 1


@pytest.mark.parametrize('tau', [0.6, 0.85, 0.99, 1])
def test_gradient_of_rectified_weights_is_that_of_the_formula(tau):
    weight, above = weights(), torch.randn(4, 3, 3, 3, dtype=DOUBLE, generator=torch.Generator().manual_seed(1))
    got = torch.autograd.grad(rectify(weight, torch.tensor(tau, dtype=DOUBLE)), weight, above)[0]
    expected = torch.autograd.grad(written_out(weight, tau), weight, above)[0]
    torch.testing.assert_close(got, expected, rtol=1e-11, atol=1e-12)


def test_gradient_of_rectified_weights_is_the_difference_quotient_without_a_clamp():
    weight = weights()
    assert torch.autograd.gradcheck(lambda w: rectify(w, torch.tensor(1.0, dtype=DOUBLE)), weight)


def test_a_clamped_weight_is_only_drawn_by_its_filters_statistics():
    weight = torch.tensor([-0.1, 0.1, -0.1, 5.0], dtype=DOUBLE).view(1, 4, 1, 1).requires_grad_()
    tau = torch.tensor(0.7, dtype=DOUBLE)
    own = torch.tensor([0.0, 0, 0, 1], dtype=DOUBLE).view(1, 4, 1, 1)  # the output of the clamped weight alone
    assert not torch.autograd.grad(rectify(weight, tau), weight, own)[0].any()


@pytest.mark.parametrize('tau', [0.85, 1])
def test_filters_of_equal_weights_give_zeros_and_finite_gradients(tau):
    weight = torch.full((3, 2, 1, 1), 0.25, requires_grad=True)
    y = rectify(weight, torch.tensor(tau, dtype=DOUBLE))
    assert not y.any()
    y.sum().backward()
    assert weight.grad.isfinite().all()


def test_unit_variance_is_the_papers():
    x = torch.randn(3, 2, 2, 3, generator=torch.Generator().manual_seed(0), dtype=DOUBLE) * 4 + 1
    expected = [np.array(sample.tolist()) / deviation(sample.flatten().tolist()) for sample in x]
    np.testing.assert_allclose(unit_variance(x), np.stack(expected), rtol=1e-13)


def test_gradient_flows_through_the_variance():
    x = (torch.randn(3, 2, 2, 3, generator=torch.Generator().manual_seed(0), dtype=DOUBLE) * 2 + 1).requires_grad_()
    assert torch.autograd.gradcheck(unit_variance, x)
    above = torch.ones_like(x)
    expected = torch.autograd.grad(x / (x.var((1, 2, 3), keepdim=True) + 1e-5).sqrt(), x, above)[0]
    torch.testing.assert_close(torch.autograd.grad(unit_variance(x), x, above)[0], expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(('shift', 'spread'), [(100.0, 0.5), (0.0, 500.0)], ids=['far from 0', 'beyond 65504'])
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_statistics_of_half_precision_are_taken_in_float32(dtype, shift, spread):
    draw = torch.Generator().manual_seed(0)
    x = (torch.randn(2, 4, 8, 8, generator=draw) * spread + shift).to(dtype).requires_grad_()
    y = unit_variance(x)
    assert y.dtype == dtype
    exact = x.detach().double()
    expected = exact / (exact.var((1, 2, 3), keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(y.double(), expected, rtol=torch.finfo(dtype).eps, atol=0)
    y.sum().backward()
    assert x.grad.dtype == dtype
    assert x.grad.isfinite().all()


def test_a_sample_of_one_element_has_no_variance():
    with pytest.raises(ValueError, match=r'no variance in a sample of one element; this is a tensor of \(8, 1, 1, 1\)'):
        unit_variance(torch.ones(8, 1, 1, 1))


def saved(forward: object) -> tuple[Tensor, list[Tensor]]:
    """What ``forward`` gives, and what autograd keeps of it."""
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (kept.append(t), t)[1], lambda t: t):
        y = forward()
    return y, kept


def test_keeps_one_tensor_of_the_inputs_size():
    x = torch.randn(2, 8, 6, 6, requires_grad=True)
    y, kept = saved(lambda: unit_variance(x))
    assert [t.data_ptr() for t in kept if t.numel() > 2] == [y.data_ptr()]
    weight = weights(torch.float32)
    _, kept = saved(lambda: rectify(weight, torch.tensor(0.85)))
    assert [t.data_ptr() for t in kept if t.numel() > 4] == [weight.data_ptr()]
