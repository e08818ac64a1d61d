"""Shift and RPReLU against their formulas."""

import torch

from binssl.binary import RPReLU, Shift


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
