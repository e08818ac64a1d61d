"""Shift and RPReLU against their formulas, and the real functions in the place of a sign on a line of numbers."""

from __future__ import annotations

import pytest
import torch

from binssl.binary import BinaryConv2d, RPReLU, Shift
from binssl.registry import BINARIZERS, ConfigError

LINE = [-3.0, -1.5, -0.5, 0.25, 1.5, 4.0]
VALUES = {
    'ReLU': ({}, [0, 0, 0, 0.25, 1.5, 4], [0, 0, 0, 1, 1, 1]),
    'Clip': ({}, [-1, -1, -0.5, 0.25, 1, 1], [0, 0, 1, 1, 0, 0]),
    'LeakyClip': ({}, [-1.2, -1.05, -0.5, 0.25, 1.05, 1.3], [0.1, 0.1, 1, 1, 0.1, 0.1]),
    'LeakyClip of 0.5': ({'slope': 0.5}, [-2, -1.25, -0.5, 0.25, 1.25, 2.5], [0.5, 0.5, 1, 1, 0.5, 0.5]),
}


@pytest.mark.parametrize('name', VALUES)
def test_values_and_slopes(name):
    settings, values, slopes = VALUES[name]
    part = BINARIZERS.build({'type': name.split()[0], **settings})
    assert part.bits == 32
    assert not part.state_dict()
    x = torch.tensor(LINE, dtype=torch.float64, requires_grad=True)
    y = part(x)
    y.sum().backward()
    torch.testing.assert_close(y.detach(), torch.tensor(values, dtype=torch.float64))
    torch.testing.assert_close(x.grad, torch.tensor(slopes, dtype=torch.float64))


@pytest.mark.parametrize('name', ['ReLU', 'Clip', 'LeakyClip'])
def test_the_convolution_sees_the_real_values(name):
    torch.manual_seed(0)
    conv = BinaryConv2d(3, 4, 3, padding=1, activation={'type': name}).double()
    plain = torch.nn.Conv2d(3, 4, 3, padding=1, bias=False).double()
    plain.load_state_dict(conv.state_dict())
    x = 2 * torch.randn(2, 3, 5, 5, dtype=torch.float64).requires_grad_()
    part = BINARIZERS.build({'type': name})
    ours = torch.autograd.grad(conv(x).square().sum(), [x, conv.weight])
    expected = torch.autograd.grad(plain(part(x)).square().sum(), [x, plain.weight])
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize('slope', [-0.1, 1, float('nan')])
def test_a_slope_outside_0_to_1_is_refused(slope):
    with pytest.raises(ConfigError, match=r'LeakyClip.* slope is .*; it must be a number'):
        BINARIZERS.build({'type': 'LeakyClip', 'slope': slope})


def test_shift_adds_one_offset_a_channel():
    shift = Shift(3)
    with torch.no_grad():
        shift.bias.copy_(torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1))
    y = shift(torch.zeros(2, 3, 2, 2))
    assert y[1, :, 1, 0].tolist() == [1, 2, 3]
    y.sum().backward()
    assert shift.bias.grad.flatten().tolist() == [8, 8, 8]


def test_rprelu_is_prelu_between_two_shifts():
    torch.manual_seed(0)
    activation = RPReLU(4).double()
    for parameter in activation.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(3, 4, 2, 5, dtype=torch.float64)
    b_in, slope, b_out = (p.detach().view(1, 4, 1, 1) for p in activation.parameters())
    moved = x + b_in
    expected = moved.clamp(min=0) + slope * moved.clamp(max=0) + b_out
    torch.testing.assert_close(activation(x).detach(), expected, rtol=1e-14, atol=0)


def test_half_precision_maps_stay_so_and_parameters_get_their_own_dtype():
    activation = RPReLU(4)
    x = torch.randn(3, 4, 2, 5, dtype=torch.bfloat16, requires_grad=True)
    y = activation(x)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == torch.bfloat16
    assert {p.grad.dtype for p in activation.parameters()} == {torch.float32}
