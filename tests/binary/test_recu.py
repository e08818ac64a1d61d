"""ReCU's layer as a whole: against the published formulas composed in float64, and what a schedule may do to it."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from contracts.small import RECU
from torch import Tensor
from torch.nn.functional import conv2d

from binssl.binary import BinaryConv2d, ChannelScale, build_conv
from binssl.binary.lean_conv import binary_conv2d
from binssl.registry import BINARIZERS, ConfigError

DOUBLE = torch.float64


def with_gradient_of(values: Tensor, surrogate: Tensor) -> Tensor:
    return values.detach() + (surrogate - surrogate.detach())


def published(x: Tensor, weight: Tensor, alpha: Tensor, tau: float, training: bool, **shape: object) -> Tensor:
    """The paper's layer as a composition: its gradients are autograd's."""
    dims = (1, 2, 3)
    centred = weight - weight.mean(dims, keepdim=True)
    standard = 2 * math.sqrt(2) * centred / (centred.var(dims, keepdim=True) + 1e-5).sqrt()
    quantile = math.inf if tau == 1 else (-standard.abs().mean() * math.log(2 - 2 * tau)).item()
    clamped = standard.clamp(-quantile, quantile)
    x = x / (x.var(dims, keepdim=True) + 1e-5).sqrt() if training else x
    inside = x.clamp(-1, 1)
    polynomial = torch.where(x < 0, 2 * inside + inside**2, 2 * inside - inside**2)  # its slope: max(0, 2 - 2|x|)
    signs = [with_gradient_of(torch.sign(x), polynomial), with_gradient_of(torch.sign(clamped), clamped)]
    return conv2d(*signs, None, **shape) * alpha


def layer(tau: float = 0.85, **settings: object) -> BinaryConv2d:
    torch.manual_seed(0)
    conv = BinaryConv2d(
        5,
        7,
        3,
        **settings,
        activation={'type': 'UnitVarianceSign'},
        scale={'type': 'ChannelScale'},
        weight={'type': 'RectifiedSign', 'tau': tau},
    ).double()
    torch.nn.init.normal_(conv.weight, mean=0.1)
    return conv


@pytest.mark.parametrize('shape', [{'padding': 1}, {'padding': 1, 'stride': 2}, {}], ids=str)
@pytest.mark.parametrize('tau', [0.6, 0.85, 1])
@pytest.mark.parametrize('training', [True, False])
def test_equals_the_published_formulas(shape, tau, training):
    conv = layer(tau, **shape).train(training)
    x = (3 * torch.randn(4, 5, 6, 7, dtype=DOUBLE)).requires_grad_()
    leaves = [x, conv.weight, conv.scale.alpha]
    ours, plain = conv(x), published(x, conv.weight, conv.scale.alpha, tau, training, **shape)
    torch.testing.assert_close(ours, plain, rtol=1e-12, atol=1e-12)
    above = torch.randn_like(plain)
    for got, expected in zip(
        torch.autograd.grad(ours, leaves, above), torch.autograd.grad(plain, leaves, above), strict=True
    ):
        torch.testing.assert_close(got, expected, rtol=1e-11, atol=1e-11)


def test_preset_names_its_parameters_and_keeps_tau_out_of_the_state():
    conv = build_conv(RECU, 3, 6, 3)
    assert {name: tuple(value.shape) for name, value in conv.state_dict().items()} == {
        'weight': (6, 3, 3, 3),
        'scale.alpha': (6, 1, 1),
    }
    assert conv.weight_binarizer.tau.item() == 0.85


def test_deviation_and_clamp_leave_the_bits_alone():
    conv = layer(0.6)
    x = torch.randn(2, 5, 6, 6, dtype=DOUBLE)
    y = conv(x)
    conv.weight_binarizer.tau.fill_(1)
    assert torch.equal(conv(x), y)
    assert torch.equal(conv.eval()(x), y)
    with torch.no_grad():
        assert torch.equal(conv(x), y)


def test_sums_are_integers_times_alpha():
    conv = layer()
    sums = conv(torch.randn(2, 5, 6, 6, dtype=DOUBLE)) / conv.scale.alpha
    torch.testing.assert_close(sums, sums.round(), rtol=0, atol=1e-12)
    assert sums.abs().max() <= 45


def integers(conv: BinaryConv2d, x: Tensor) -> Tensor:
    """The sums of products of bits, exact: float64 holds every integer below 2^53."""
    signs = (torch.where(value >= 0, 1.0, -1.0).double() for value in (x, conv.weight_binarizer.prepare(conv.weight)))
    return conv2d(*signs, None, conv.stride, conv.padding).detach()


@pytest.mark.parametrize('shape', [{'padding': 1}, {'padding': 1, 'stride': 2}], ids=str)
@pytest.mark.parametrize('mode', ['training', 'eval', 'no gradient', 'inference', 'compiled', 'channels last'])
def test_in_float32_every_output_is_bit_for_bit_an_integer_times_alpha(mode, shape):
    torch.manual_seed(0)
    conv = build_conv(RECU, 96, 40, 3, **shape)
    with torch.no_grad():
        conv.scale.alpha[:4] = torch.tensor([0.0, -0.3, 1 / 3, -7.1e-5]).view(4, 1, 1)
    x = torch.randn(2, 96, 9, 8)
    if mode == 'channels last':
        conv, x = (thing.to(memory_format=torch.channels_last) for thing in (conv, x))
    conv.train(mode in ('training', 'compiled'))
    run = torch.compile(conv, backend='aot_eager', fullgraph=True) if mode == 'compiled' else conv
    with torch.set_grad_enabled(mode != 'no gradient'), torch.inference_mode(mode == 'inference'):
        y = run(x)
    wanted = integers(conv, x)
    assert wanted.abs().max() > 64, 'sums whose products with alpha have to round'
    assert torch.equal(y, wanted.float() * conv.scale.alpha)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_in_half_precision_the_product_is_rounded_once_and_alpha_never(dtype):
    torch.manual_seed(0)
    conv = build_conv(RECU, 25, 16, 3, padding=1)
    x = torch.randn(2, 25, 6, 6)
    with torch.autocast('cpu', dtype=dtype):
        y = conv(x)
    wanted = integers(conv, x)  # at most 225: whole in eight bits
    assert torch.equal(y, (wanted * conv.scale.alpha.double()).to(dtype))


def test_gradients_are_those_of_finite_differences():
    torch.manual_seed(0)
    real = (torch.randn(shape, dtype=DOUBLE) for shape in ((2, 3, 5, 4), (4, 3, 3, 3), (4,), (4, 1, 1)))
    leaves = [leaf.requires_grad_() for leaf in real]

    def scaled(x, weight, bias, gain):  # nothing binary: there the differences are defined
        return binary_conv2d(x, weight, bias, gain, stride=(2, 1), padding=(1, 0))

    assert torch.autograd.gradcheck(scaled, leaves)
    assert torch.autograd.gradcheck(lambda x, weight, gain: scaled(x, weight, None, gain), [*leaves[:2], leaves[3]])


def test_alpha_begins_between_0_and_1():
    torch.manual_seed(0)
    alpha = ChannelScale(4000).alpha.detach()
    assert 0 <= alpha.min() < 0.01
    assert 0.99 < alpha.max() <= 1
    assert alpha.mean().item() == pytest.approx(0.5, abs=0.02)  # 4 standard errors


def test_channel_scale_as_a_module_multiplies_each_channel():
    scale = ChannelScale(3)
    x = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(scale(x), torch.stack([x[:, c] * scale.alpha[c].item() for c in range(3)], 1))


def test_alpha_of_zero_and_below_has_its_gradient():
    conv = layer()
    with torch.no_grad():
        conv.scale.alpha[:3] = torch.tensor([0.0, -1, 2]).view(3, 1, 1)
    x = torch.randn(2, 5, 6, 6, dtype=DOUBLE)
    conv(x).sum().backward()
    got = conv.scale.alpha.grad
    plain = published(x, conv.weight, torch.ones(7, 1, 1, dtype=DOUBLE), 0.85, True)
    torch.testing.assert_close(got, plain.detach().sum((0, 2, 3)).view(7, 1, 1))


@pytest.mark.parametrize('weight', [None, {'type': 'BoxSign'}, {'type': 'ScaledSign', 'scale_gradient': True}], ids=str)
def test_scale_of_any_weights_and_a_bias(weight):
    torch.manual_seed(0)
    config = {'type': 'BinaryConv2d', 'weight': weight}
    x = torch.randn(2, 3, 5, 5, dtype=DOUBLE, requires_grad=True)
    scaled = build_conv({**config, 'scale': {'type': 'ChannelScale'}}, 3, 4, 3, bias=True).double()
    plain = build_conv(config, 3, 4, 3, bias=True).double()
    plain.load_state_dict({name: scaled.state_dict()[name] for name in ('weight', 'bias')})
    ours, expected = scaled(x), plain(x) * scaled.scale.alpha
    above = torch.randn_like(ours)
    got = torch.autograd.grad(ours, [x, scaled.weight, scaled.bias, scaled.scale.alpha], above)
    wanted = torch.autograd.grad(expected, [x, plain.weight, plain.bias, scaled.scale.alpha], above)
    for a, b in zip((ours, *got), (expected, *wanted), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_alpha_learns_where_the_weights_are_frozen():
    conv = layer()
    conv.weight.requires_grad_(False)
    x = torch.randn(2, 5, 6, 6, dtype=DOUBLE)
    conv(x).sum().backward()
    assert conv.weight.grad is None
    sums = (conv(x) / conv.scale.alpha).detach().sum((0, 2, 3))
    torch.testing.assert_close(conv.scale.alpha.grad, sums.view(7, 1, 1))


# tau


@pytest.mark.parametrize('tau', [0.5, 0, 1.01, float('nan'), '0.85', None])
def test_tau_outside_its_range_is_refused(tau):
    rule = 'must be (above 0.5 and at most 1|a number)' if isinstance(tau, float | int) else 'must be float'
    with pytest.raises(ConfigError, match=rf'RectifiedSign.*{rule}|tau {tau} of RectifiedSign {rule}'):
        BINARIZERS.build({'type': 'RectifiedSign', 'tau': tau})
    with pytest.raises(ConfigError, match='must be above'):
        BINARIZERS.build({'type': 'RectifiedSign'}).check_scheduled('tau', tau)


def test_ends_of_the_published_schedule_are_welcome():
    part = BINARIZERS.build({'type': 'RectifiedSign', 'tau': 1})
    part.check_scheduled('tau', 0.85)
    part.check_scheduled('tau', 0.99)
    assert part.tau == 1, 'asking changes nothing'


@pytest.mark.parametrize('compiled', [False, True])
def test_a_tau_that_is_filled_reaches_the_next_gradient(compiled):
    conv = layer(0.6)
    run = torch.compile(conv, backend='aot_eager', fullgraph=True) if compiled else conv
    x = torch.randn(2, 5, 6, 6, dtype=DOUBLE)
    for tau in (0.6, 0.95):
        conv.weight_binarizer.tau.fill_(tau)
        got = torch.autograd.grad(run(x).square().sum(), conv.weight)[0]
        plain = published(x, conv.weight, conv.scale.alpha, tau, training=True).square().sum()
        torch.testing.assert_close(got, torch.autograd.grad(plain, conv.weight)[0])


# devices, dtypes, memory


@pytest.mark.parametrize('compiled', [False, True])
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_a_cast_leaves_tau_the_number_that_it_is(dtype, compiled):
    conv = layer(0.99).to(dtype)
    assert (conv.weight.dtype, conv.weight_binarizer.tau.dtype) == (dtype, DOUBLE)
    conv.weight_binarizer.tau.fill_(0.991)  # in bfloat16 this would be 0.9922
    assert conv.half().bfloat16().float().weight_binarizer.tau.item() == 0.991
    run = torch.compile(conv, backend='aot_eager', fullgraph=True) if compiled else conv
    x = torch.randn(2, 5, 6, 6)
    got = torch.autograd.grad(run(x).square().sum(), conv.weight)[0]
    plain = published(x, conv.weight, conv.scale.alpha, 0.991, training=True).square().sum()
    torch.testing.assert_close(got, torch.autograd.grad(plain, conv.weight)[0], rtol=1e-4, atol=1e-4)


def test_tau_moves_with_its_layer_and_stays_where_nothing_moves():
    conv = layer(0.9)
    tau = conv.weight_binarizer.tau
    assert conv.half().cpu().weight_binarizer.tau is tau
    assert conv.to('meta').weight_binarizer.tau.is_meta


def test_tau_is_float32_where_a_device_has_nothing_wider(monkeypatch):
    part, to = BINARIZERS.build({'type': 'RectifiedSign', 'tau': 0.9}), Tensor.to
    with monkeypatch.context() as patch:
        patch.setattr(Tensor, 'to', lambda x, device, dtype: to(x, dtype))  # as if it were on such a device
        part._apply(lambda x: SimpleNamespace(device=torch.device('mps')))
    assert torch.equal(part.tau, torch.tensor(0.9))
    assert part.prepare(torch.randn(3, 4).half()).dtype == torch.float16
    assert part.to('cpu').tau.dtype == DOUBLE


def test_never_looks_at_a_value():
    conv = build_conv(RECU, 4, 4, 3, padding=1).to('meta')
    x = torch.empty(2, 4, 6, 6, device='meta', requires_grad=True)  # has no values: a sync would raise
    conv(x).sum().backward()
    assert x.grad.shape == x.shape
    assert conv.scale.alpha.grad.shape == (4, 1, 1)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast_gives_gradients_in_the_parameters_dtypes(dtype):
    conv = layer(padding=1).float()
    x = torch.randn(4, 5, 6, 6, requires_grad=True)
    leaves = [x, conv.weight, conv.scale.alpha]
    reference = torch.autograd.grad(conv(x).square().sum(), leaves)
    with torch.autocast('cpu', dtype=dtype):
        y = conv(x)
    assert y.dtype == dtype
    for got, wanted in zip(torch.autograd.grad(y.float().square().sum(), leaves), reference, strict=True):
        assert got.dtype == torch.float32
        assert (got - wanted).norm() < 0.02 * wanted.norm()


def test_keeps_one_map_and_the_prepared_weights():
    conv = build_conv(RECU, 16, 16, 3, padding=1)
    x = torch.randn(2, 16, 8, 8, requires_grad=True)
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (kept.append(t), t)[1], lambda t: t):
        conv(x)
    large = {t.data_ptr(): t.shape for t in kept if t.numel() > 16 and t.data_ptr() != conv.weight.data_ptr()}
    assert sorted(large.values()) == [x.shape, conv.weight.shape]


def test_channels_last_is_kept_both_ways():
    conv = build_conv(RECU, 8, 8, 3, padding=1).to(memory_format=torch.channels_last)
    x = torch.randn(2, 8, 6, 6).to(memory_format=torch.channels_last).requires_grad_()
    y = conv(x)
    y.square().sum().backward()
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert x.grad.is_contiguous(memory_format=torch.channels_last)


# parts in places that are not theirs


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        ({'weight': {'type': 'UnitVarianceSign'}}, 'is for activation of a BinaryConv2d, not for its weight'),
        (
            {'weight': {'type': 'LeakyClip'}},
            'is for activation .*, not for its weight; there take AdaptiveWeightSign or ApproxSign',
        ),
        ({'activation': {'type': 'RectifiedSign'}}, 'RectifiedSign is for weight .* not for its activation'),
        ({'activation': {'type': 'ChannelScale', 'channels': 4}}, 'is for scale of .* not for its activation'),
        ({'scale': {'type': 'BoxSign'}}, 'for activation and weight of .* not for its scale; there take ChannelScale'),
        ({'scale': {'type': 'ChannelScale', 'channels': 1}}, r"scale sets \['channels'\], which the convolution gives"),
        ({'scale': 'ChannelScale'}, "scale is 'ChannelScale'; it must be dict"),
        ({'scale': {'type': 'ChanelScale'}}, "did you mean 'ChannelScale'"),
        ({'activation': {'type': 'Clip'}, 'pad_value': 1}, 'pad_value 1 needs binary inputs'),
    ],
    ids=str,
)
def test_a_part_in_the_wrong_place_is_refused(config, message):
    with pytest.raises(ConfigError, match=message):
        build_conv({'type': 'BinaryConv2d', **config}, 4, 4, 3)
