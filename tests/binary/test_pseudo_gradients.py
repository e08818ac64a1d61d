"""Signs and pseudo-gradients at their edges, what they keep, and the levels, in plain numbers."""

from __future__ import annotations

import math

import pytest
import torch

from binssl.binary import binary_sign, build_gradient, filter_scale, straight_through_sign
from binssl.hooks.schedule import Schedule
from binssl.registry import BINARIZERS

EDGES = [-2.5, -1.0000001, -1.0, -0.75, -1e-30, -0.0, 0.0, 1e-30, 0.25, 1.0, 1.0000001, 3.0]
WINDOWS = {
    'clip': lambda v: 1.0 if abs(v) <= 1 else 0.0,
    'triangle': lambda v: 2 - 2 * abs(v) if abs(v) <= 1 else 0.0,
    'identity': lambda v: 1.0,
    'tanh': lambda v: 1 - math.tanh(v) ** 2,
}


def saved_tensors(function):
    """What autograd keeps while ``function`` runs."""
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (saved.append(t), t)[1], lambda t: t):
        output = function()
    return saved, output


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_sign_has_two_values_and_both_zeros_are_plus_one(dtype):
    x = torch.tensor([-3, -1e-4, -0.0, 0.0, 1e-4, 7], dtype=dtype)
    assert binary_sign(x).tolist() == [-1, -1, 1, 1, 1, 1]
    assert binary_sign(x).dtype == dtype


def test_sign_keeps_channels_last():
    x = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    assert binary_sign(x).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize('gradient', WINDOWS)
def test_gradient_is_the_window_times_the_gradient_above(gradient):
    x = torch.tensor(EDGES, dtype=torch.float64, requires_grad=True)
    above = torch.linspace(-2, 3, len(EDGES), dtype=torch.float64)
    y = straight_through_sign(x, build_gradient(gradient))
    assert y.tolist() == [1.0 if v >= 0 else -1.0 for v in EDGES]
    (y * above).sum().backward()
    expected = [WINDOWS[gradient](v) * g for v, g in zip(EDGES, above.tolist(), strict=True)]
    rtol = 1e-12 if gradient == 'tanh' else 1e-15  # 1 - tanh^2 loses digits far from 0
    torch.testing.assert_close(x.grad, torch.tensor(expected, dtype=torch.float64), rtol=rtol, atol=0)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
def test_clip_includes_one_and_excludes_the_next_number_in_every_dtype(dtype):
    above_one = 1 + torch.finfo(dtype).eps
    x = torch.tensor([-above_one, -1, 1, above_one], dtype=dtype, requires_grad=True)
    straight_through_sign(x, build_gradient('clip')).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ('gradient', 'dtype'),
    [('clip', torch.int8), ('identity', torch.int8), ('triangle', torch.float32), ('tanh', torch.float32)],
)
def test_one_tensor_is_kept(gradient, dtype):
    x = torch.randn(50, requires_grad=True)
    saved, _ = saved_tensors(lambda: straight_through_sign(x, build_gradient(gradient)))
    assert [t.dtype for t in saved] == [dtype]
    assert saved[0].numel() == x.numel()
    assert (saved[0].data_ptr() == x.data_ptr()) == (dtype == torch.float32)


@pytest.mark.parametrize('gradient', ['clip', 'identity'])
@pytest.mark.parametrize('scale_gradient', [False, True])
def test_scaled_sign_against_a_loop(gradient, scale_gradient):
    torch.manual_seed(0)
    weight = torch.randn(3, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    above = torch.randn_like(weight)
    y = BINARIZERS.build(dict(type='ScaledSign', ste=gradient, scale_gradient=scale_gradient))(weight)
    (y * above).sum().backward()
    for w, values, grad, g in zip(weight.detach(), y.detach(), weight.grad, above, strict=True):
        scale = sum(abs(v) for v in w.flatten().tolist()) / w.numel()
        for v, value, dv, dy in zip(*(t.flatten().tolist() for t in (w, values, grad, g)), strict=True):
            assert value == pytest.approx(scale if v >= 0 else -scale, rel=1e-14)
            factor = scale if scale_gradient else 1
            assert dv == pytest.approx(dy * WINDOWS[gradient](v) * factor, rel=1e-14)


def test_filter_scale_is_one_number_a_filter():
    weight = torch.tensor([[1.0, -3.0], [0.5, 0.0]])
    assert filter_scale(weight).tolist() == [[2.0], [0.25]]


def test_no_gradient_is_recorded_where_none_is_wanted():
    x = torch.randn(5, requires_grad=True)
    with torch.no_grad():
        assert not straight_through_sign(x, build_gradient('triangle')).requires_grad


# IR-Net's error decay estimator


def test_tanh_gradient_is_the_published_estimator():
    epochs, lowest, highest = 40, 1e-1, 1e1
    schedule = Schedule(target='head.sharpness', curve='geometric', start=lowest, end=highest, by='epoch')
    gradient, x = build_gradient('tanh'), torch.linspace(-3, 3, 41, dtype=torch.float64)
    for epoch in (0, 1, 19, 20, 39):
        t = lowest * 10 ** (epoch / epochs * math.log10(highest / lowest))
        assert schedule.value(0.0, 5 * epoch + 3, 5, epochs) == pytest.approx(t, rel=1e-12)
        gradient.sharpness.fill_(t)
        k = max(1 / t, 1)
        expected = [k * t * (1 - math.tanh(t * value) ** 2) for value in x.tolist()]
        got = gradient.pull_back(torch.ones_like(x), x)
        torch.testing.assert_close(got, torch.tensor(expected, dtype=torch.float64), rtol=1e-8, atol=1e-14)


def test_sharpness_is_never_cast():
    part = BINARIZERS.build(dict(type='Sign', gradient=dict(type='TanhGradient', sharpness=0.1)))
    assert part.half().bfloat16().float().gradient.sharpness.item() == 0.1
    assert part.to('meta').gradient.sharpness.is_meta
