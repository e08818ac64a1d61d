"""What every registered pseudo-gradient and binarizer owes: one row in a table, and the whole suite applies.

A row states the published formula, differentiable: the sign forward and the slope of a smooth function backward.
"""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, hardtanh

from binssl.binary import (
    Binarizer,
    BinaryConv2d,
    PseudoGradient,
    binary_sign,
    build_conv,
    build_gradient,
    straight_through_sign,
)
from binssl.registry import BINARIZERS, GRADIENTS, ConfigError, Registry

DOUBLE = torch.float64
DIMS = (1, 2, 3)


def polynomial(x: Tensor) -> Tensor:
    inside = x.clamp(-1, 1)
    return torch.where(x < 0, 2 * inside + inside**2, 2 * inside - inside**2)


def tanh(sharpness: float):
    return lambda x: max(1 / sharpness, 1) * torch.tanh(sharpness * x)


# config, window, the function whose slope it is
GRADIENT_ROWS = {
    'ClipGradient': (dict(type='ClipGradient'), 1, lambda x: x.clamp(-1, 1)),
    'TriangularGradient': (dict(type='TriangularGradient'), 1, polynomial),
    'IdentityGradient': (dict(type='IdentityGradient'), math.inf, lambda x: 1 * x),
    'TanhGradient': (dict(type='TanhGradient'), math.inf, tanh(1)),
    'TanhGradient, blunt': (dict(type='TanhGradient', sharpness=0.1), math.inf, tanh(0.1)),
    'TanhGradient, sharp': (dict(type='TanhGradient', sharpness=7), math.inf, tanh(7)),
}


def with_slope_of(values: Tensor, smooth: Tensor) -> Tensor:
    return values.detach() + (smooth - smooth.detach())


def bit(x: Tensor, gradient: str) -> Tensor:
    """The sign of x with the gradient of that row."""
    return with_slope_of(torch.where(x >= 0, 1.0, -1.0).to(x.dtype), GRADIENT_ROWS[gradient][2](x))


def scale(weight: Tensor) -> Tensor:
    return weight.abs().mean(DIMS, keepdim=True).detach()


def xnor(gradient: str, scale_gradient: bool):
    def formula(w: Tensor, _: Binarizer) -> Tensor:
        smooth = GRADIENT_ROWS[gradient][2](w)
        sign = torch.where(w >= 0, 1.0, -1.0).to(w.dtype)
        return with_slope_of(scale(w) * sign, scale(w) * smooth if scale_gradient else smooth)

    return formula


def irnet(w: Tensor, _: Binarizer) -> Tensor:
    standard = (w - w.mean(DIMS, keepdim=True)) / w.std(DIMS, keepdim=True)
    return bit(standard, 'TanhGradient') * 2 ** torch.log2(scale(standard)).round()


def recu_weight(w: Tensor, part: Binarizer) -> Tensor:
    centred = w - w.mean(DIMS, keepdim=True)
    standard = 2 * math.sqrt(2) * centred / (centred.var(DIMS, keepdim=True) + 1e-5).sqrt()
    bound = -(standard.abs().mean() * torch.log(2 - 2 * part.tau)).detach().item()
    return bit(standard.clamp(-bound, bound), 'IdentityGradient')


def recu_activation(x: Tensor, _: Binarizer) -> Tensor:
    return bit(x / (x.var(DIMS, keepdim=True) + 1e-5).sqrt(), 'TriangularGradient')


def adabin_weight(gradient: str):
    def formula(w: Tensor, _: Binarizer) -> Tensor:
        beta = w.mean(DIMS, keepdim=True)
        alpha = (((w - beta) ** 2).sum(DIMS, keepdim=True) / w[0].numel()).sqrt()
        return alpha * bit((w - beta) / alpha, gradient) + beta

    return formula


def adabin_activation(gradient: str):
    return lambda x, part: part.alpha * bit((x - part.beta) / part.alpha, gradient) + part.beta


# config, the formula of x and the part (for its parameters); one that has no sign is real
BINARIZER_ROWS = {
    'Sign': (dict(type='Sign', gradient='tanh'), lambda x, _: bit(x, 'TanhGradient')),
    'Sign, configured': (
        dict(type='Sign', gradient=dict(type='TanhGradient', sharpness=7)),
        lambda x, _: bit(x, 'TanhGradient, sharp'),
    ),
    'BoxSign': (dict(type='BoxSign'), lambda x, _: bit(x, 'ClipGradient')),
    'ApproxSign': (dict(type='ApproxSign'), lambda x, _: bit(x, 'TriangularGradient')),
    'IdentitySign': (dict(type='IdentitySign'), lambda x, _: bit(x, 'IdentityGradient')),
    'ScaledSign': (dict(type='ScaledSign'), xnor('ClipGradient', False)),
    'ScaledSign, identity': (dict(type='ScaledSign', ste='identity'), xnor('IdentityGradient', False)),
    'ScaledSign, BURN': (dict(type='ScaledSign', ste='identity', scale_gradient=True), xnor('IdentityGradient', True)),
    'ScaledSign, magnitude-aware': (
        dict(type='ScaledSign', ste='clip', scale_gradient=True),
        xnor('ClipGradient', True),
    ),
    'ScaledSign, tanh': (dict(type='ScaledSign', ste='tanh'), xnor('TanhGradient', False)),
    'BalancedSign': (dict(type='BalancedSign'), irnet),
    'RectifiedSign': (dict(type='RectifiedSign'), recu_weight),
    'UnitVarianceSign': (dict(type='UnitVarianceSign'), recu_activation),
    'AdaptiveWeightSign': (dict(type='AdaptiveWeightSign'), adabin_weight('TanhGradient, blunt')),
    'AdaptiveWeightSign, clip': (dict(type='AdaptiveWeightSign', gradient='clip'), adabin_weight('ClipGradient')),
    'AdaptiveActivationSign': (dict(type='AdaptiveActivationSign'), adabin_activation('TriangularGradient')),
    'AdaptiveActivationSign, clip': (
        dict(type='AdaptiveActivationSign', gradient='clip'),
        adabin_activation('ClipGradient'),
    ),
    'ReLU': (dict(type='ReLU'), lambda x, _: torch.relu(x)),
    'Clip': (dict(type='Clip'), lambda x, _: hardtanh(x)),
    'LeakyClip': (dict(type='LeakyClip'), lambda x, _: hardtanh(x) + 0.1 * (x - hardtanh(x))),
}
REAL = {'ReLU', 'Clip', 'LeakyClip'}
PLACES = [(row, place) for row, (cfg, _) in BINARIZER_ROWS.items() for place in BINARIZERS.get(cfg['type']).fits]
PARTS_OF_A_CONVOLUTION = {'ChannelScale'}  # in the registry, but no binarizer


def registered(registry: Registry) -> set[str]:
    registry.import_from_location()
    return {kind.__name__ for kind in registry.module_dict.values() if kind.__module__.startswith('binssl.')}


def test_every_registered_gradient_and_binarizer_has_a_row():
    assert registered(GRADIENTS) == {config['type'] for config, *_ in GRADIENT_ROWS.values()}
    binarizers = {config['type'] for config, _ in BINARIZER_ROWS.values()}
    assert registered(BINARIZERS) - PARTS_OF_A_CONVOLUTION == binarizers


def numbers(*shape: int, seed: int = 0, dtype: torch.dtype = DOUBLE) -> Tensor:
    """Some of them beyond every window."""
    draw = torch.Generator().manual_seed(seed)
    return (1.5 * torch.randn(shape, generator=draw, dtype=DOUBLE) + 0.2).to(dtype).requires_grad_()


@pytest.mark.parametrize('row', GRADIENT_ROWS)
class TestGradient:
    def test_is_the_slope_of_its_function(self, row):
        config, window, function = GRADIENT_ROWS[row]
        gradient, x, above = build_gradient(config), numbers(500), torch.randn(500, dtype=DOUBLE)
        wanted = torch.autograd.grad(function(x), x, above)[0]
        y = straight_through_sign(x, gradient)
        assert y.tolist() == [1.0 if value >= 0 else -1.0 for value in x.tolist()]
        torch.testing.assert_close(torch.autograd.grad(y, x, above)[0], wanted, rtol=1e-12, atol=1e-14)
        x = x.detach()
        torch.testing.assert_close(gradient.pull_back(above.clone(), x), wanted, rtol=1e-12, atol=1e-14)
        assert gradient.window == window
        assert not wanted[x.abs() > window].any()
        assert wanted[x.abs() < 1].all()

    @pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
    def test_keeps_one_tensor_the_sign_and_the_dtype(self, row, dtype):
        gradient, x = build_gradient(GRADIENT_ROWS[row][0]), numbers(50, dtype=dtype).detach()
        kept = gradient.keep(x, binary_sign(x))
        assert kept is x or kept.dtype == torch.int8
        assert torch.equal(kept.sign() if kept.dtype == torch.int8 else binary_sign(kept), binary_sign(x))
        assert gradient.pull_back(torch.ones_like(x), kept).dtype == dtype

    def test_has_no_state_and_leaves_its_config_alone(self, row):
        config = GRADIENT_ROWS[row][0]
        before = copy.deepcopy(config)
        assert not build_gradient(config).state_dict()
        assert config == before


def built(row: str) -> Binarizer:
    part = BINARIZERS.build(BINARIZER_ROWS[row][0]).double()
    with torch.no_grad():
        for parameter in part.parameters():
            parameter.add_(0.2)  # not where they begin
    return part


@pytest.mark.parametrize('row', BINARIZER_ROWS)
class TestBinarizer:
    def test_values_and_gradients_are_those_of_the_formula(self, row):
        part, x, above = built(row), numbers(4, 3, 3, 3), torch.randn(4, 3, 3, 3, dtype=DOUBLE)
        leaves = [x, *part.parameters()]
        ours, formula = part(x), BINARIZER_ROWS[row][1](x, part)
        torch.testing.assert_close(ours, formula, rtol=1e-12, atol=1e-12)
        got, wanted = (torch.autograd.grad(y, leaves, above) for y in (ours, formula))
        torch.testing.assert_close(got, wanted, rtol=1e-11, atol=1e-12)
        with torch.no_grad():
            assert torch.equal(part(x), ours)

    def test_states_its_bits_and_levels(self, row):
        part, x = built(row), numbers(4, 3, 3, 3).detach()
        assert part.bits == (32 if row.split(',')[0] in REAL else 1)
        if part.bits == 1:
            step, centre, _ = part.levels(x)
            step = torch.ones(1, dtype=DOUBLE) if step is None else step
            centre = torch.zeros(1, dtype=DOUBLE) if centre is None else centre
            one = torch.ones_like(x)
            high, low = ((centre + sign * step) * one for sign in (1, -1))
            expected = torch.where(part.prepare(x) >= 0, high, low)
            torch.testing.assert_close(part(x).detach(), expected.detach(), rtol=1e-14, atol=1e-15)

    def test_state_dict_round_trip_and_config(self, row):
        config = BINARIZER_ROWS[row][0]
        before = copy.deepcopy(config)
        first, second = built(row), BINARIZERS.build(config).double()
        second.load_state_dict(first.state_dict(), strict=True)
        x = numbers(2, 3, 4, 4)
        assert torch.equal(first(x), second(x))
        assert config == before
        assert set(first.state_dict()) == {name for name, _ in first.named_parameters()}


def conv_of(row: str, place: str, **settings: object) -> BinaryConv2d:
    torch.manual_seed(0)
    conv = BinaryConv2d(3, 5, 3, padding=1, **{place: BINARIZER_ROWS[row][0]}, **settings).double()
    nn.init.normal_(conv.weight)
    return conv


@pytest.mark.parametrize(('row', 'place'), PLACES)
class TestInAConvolution:
    def test_equals_the_convolution_of_the_formula(self, row, place):
        conv, x = conv_of(row, place, bias=True), numbers(2, 3, 6, 5)
        part = conv.activation if place == 'activation' else conv.weight_binarizer
        formula = BINARIZER_ROWS[row][1]
        inputs = formula(x, part) if place == 'activation' else x
        weight = formula(conv.weight, part) if place == 'weight' else conv.weight
        ours, composed = conv(x), conv2d(inputs, weight, conv.bias, padding=1)
        torch.testing.assert_close(ours, composed, rtol=1e-12, atol=1e-12)
        leaves, above = [x, *conv.parameters()], torch.randn_like(ours)
        got, wanted = (torch.autograd.grad(y, leaves, above) for y in (ours, composed))
        torch.testing.assert_close(got, wanted, rtol=1e-11, atol=1e-11)
        with torch.no_grad():
            torch.testing.assert_close(conv(x), ours, rtol=1e-14, atol=1e-14)

    def test_autocast_gives_gradients_in_the_parameters_dtypes(self, row, place):
        conv, x = conv_of(row, place).float(), numbers(2, 3, 6, 5, dtype=torch.float32)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            y = conv(x)
        assert y.dtype == torch.bfloat16
        y.float().square().sum().backward()
        assert all(leaf.grad.dtype == torch.float32 and leaf.grad.isfinite().all() for leaf in (x, *conv.parameters()))

    def test_never_looks_at_a_value(self, row, place):
        conv = conv_of(row, place).to('meta')
        x = torch.empty(2, 3, 6, 6, device='meta', dtype=DOUBLE, requires_grad=True)  # a sync would raise
        conv(x).sum().backward()
        assert x.grad.shape == x.shape


@pytest.mark.parametrize(
    ('row', 'place'),
    [
        ('Sign', 'activation'),
        ('BalancedSign', 'weight'),
        ('AdaptiveWeightSign', 'weight'),
        ('AdaptiveActivationSign', 'activation'),
    ],
)
def test_compiles_into_one_graph(row, place):
    conv, x = conv_of(row, place), numbers(2, 3, 6, 5)
    compiled = torch.compile(conv, backend='aot_eager', fullgraph=True)
    leaves = [x, *conv.parameters()]
    got, wanted = (torch.autograd.grad(run(x).square().sum(), leaves) for run in (compiled, conv))
    torch.testing.assert_close(got, wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize('pad_value', [-1, 1])
def test_border_of_a_bit_is_one_of_the_levels(pad_value):
    conv, x = conv_of('AdaptiveActivationSign', 'activation', pad_value=pad_value), numbers(2, 3, 4, 4)
    part = conv.activation
    formula = BINARIZER_ROWS['AdaptiveActivationSign'][1]
    frame = torch.full((2, 3, 6, 6), float(pad_value), dtype=DOUBLE) * part.alpha + part.beta
    row, column = frame[:, :, :1], frame[:, :, 1:5, :1]
    inputs = torch.cat([row, torch.cat([column, formula(x, part), column], 3), row], 2)
    composed = conv2d(inputs, conv.weight)
    leaves, above = [x, *conv.parameters()], torch.randn_like(composed)
    got, wanted = (torch.autograd.grad(y, leaves, above) for y in (conv(x), composed))
    torch.testing.assert_close(got, wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize('value', [0.0, 0.1, -1 / 3, 1e-12, 7e4])
def test_a_filter_of_equal_weights_is_balanced_to_zero_and_leaves_the_others_alone(value):
    part, x = BINARIZERS.build(dict(type='BalancedSign')), numbers(4, 3, 3, 3, dtype=torch.float32).detach()
    others = [0, 1, 3]
    wanted = part(x)[others]
    x[2] = value
    y = part(x.requires_grad_())
    (grad,) = torch.autograd.grad(y.square().sum(), x)
    assert torch.equal(y[others], wanted)
    assert not y[2].any()
    assert grad.isfinite().all()


@pytest.mark.parametrize('shape', [(4, 1), (4, 1, 1, 1)])
def test_a_filter_of_one_weight_has_no_deviation_to_balance(shape):
    with pytest.raises(ValueError, match='filter of one weight'):
        BINARIZERS.build(dict(type='BalancedSign'))(torch.ones(shape))


# a new one is one class


class CosineGradient(PseudoGradient):
    window = 1.0

    def pull_back(self, grad: Tensor, kept: Tensor) -> Tensor:
        return grad * torch.cos(kept * math.pi / 2) * (kept.abs() <= 1)


def test_gradient_of_ones_own_is_one_class():
    GRADIENTS.register_module(module=CosineGradient, force=True)
    try:
        conv = build_conv(dict(type='BinaryConv2d', activation=dict(type='Sign', gradient='CosineGradient')), 3, 4, 1)
    finally:
        GRADIENTS.module_dict.pop('CosineGradient')
    x = numbers(2, 3, 4, 4, dtype=torch.float32)
    (got,) = torch.autograd.grad(conv(x).sum(), x)
    slope = torch.where(x.abs() <= 1, torch.cos(x * math.pi / 2), 0)
    torch.testing.assert_close(got, slope * conv.weight.sum(0).expand_as(x))


# refusals


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(type='Sign', gradient='tan'), "no pseudo-gradient is called 'tan'; did you mean .*'tanh'"),
        (dict(type='Sign'), "Sign needs 'gradient'"),
        (dict(type='Sign', gradient=dict(type='TanhGradient', sharp=1)), "did you mean 'sharpness'"),
        (dict(type='Sign', gradient=dict(type='tanh', sharpness=0)), 'sharpness 0 of TanhGradient must be above 0'),
        (dict(type='ScaledSign', ste='triangular'), "no pseudo-gradient is called 'triangular'"),
        (dict(type='ScaledSign', scale_gradients=True), "did you mean 'scale_gradient'"),
        (dict(type='ReLU', gradient='clip'), "'gradient'"),
        (dict(type='Clip', gradient='clip'), "'gradient'"),
    ],
    ids=str,
)
def test_what_does_not_exist_is_refused_at_construction(config, message):
    with pytest.raises(ConfigError, match=message):
        BINARIZERS.build(config)
