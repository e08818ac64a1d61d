"""BinaryConv2d against a plain autograd composition of the same formulas."""

import itertools

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, pad

from binssl.binary import BINARY, BINARY_INPUT, REAL, Binarizer, BinaryConv2d, build_conv
from binssl.registry import BINARIZERS, ConfigError

ACTIVATIONS = [None, {'type': 'BoxSign'}, {'type': 'ApproxSign'}, {'type': 'IdentitySign'}]
WEIGHTS = [
    None,
    {'type': 'ScaledSign', 'ste': 'clip'},
    {'type': 'ScaledSign', 'ste': 'clip', 'scale_gradient': True},
    {'type': 'ScaledSign', 'ste': 'identity', 'scale_gradient': True},
    {'type': 'ApproxSign'},
]
SHAPES = {
    '3x3': {'kernel_size': 3, 'padding': 1},
    '3x3 stride 2, bias': {'kernel_size': 3, 'padding': 1, 'stride': 2, 'bias': True},
    '1x1': {'kernel_size': 1},
    'no border': {'kernel_size': 3},
    'oblong': {'kernel_size': (3, 1), 'padding': (1, 0), 'stride': (1, 2)},
}


def with_gradient_of(values, surrogate):
    return values.detach() + (surrogate - surrogate.detach())


def plain_binary(x, config):
    """The formulas of the papers, differentiable: sign forward, the surrogate's derivative backward."""
    if config is None:
        return x
    sign = torch.where(x >= 0, 1.0, -1.0).to(x.dtype)
    clipped = x.clamp(-1, 1)
    surrogate = {
        'BoxSign': clipped,
        'IdentitySign': x,
        'ApproxSign': torch.where(x < 0, 2 * clipped + clipped**2, 2 * clipped - clipped**2),
        'ScaledSign': clipped if config.get('ste') == 'clip' else x,
    }[config['type']]
    if config['type'] != 'ScaledSign':
        return with_gradient_of(sign, surrogate)
    scale = x.abs().mean((1, 2, 3), keepdim=True).detach()
    return with_gradient_of(scale * sign, scale * surrogate if config.get('scale_gradient') else surrogate)


def plain_conv(conv, x, activation, weight):
    signs = plain_binary(x, activation)
    rows, columns = conv.padding
    signs = pad(signs, (columns, columns, rows, rows), value=conv.pad_value)
    return conv2d(signs, plain_binary(conv.weight, weight), conv.bias, conv.stride)


def assert_same(conv, x, activation, weight):
    """Output and every gradient of ``conv`` equal those of the composition."""
    leaves = [x.requires_grad_(), *conv.parameters()]
    ours, plain = conv(x), plain_conv(conv, x, activation, weight)
    above = torch.randn_like(plain)
    torch.testing.assert_close(ours, plain, rtol=1e-12, atol=1e-12)
    got = torch.autograd.grad(ours, leaves, above)
    expected = torch.autograd.grad(plain, leaves, above)
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('shape', SHAPES)
def test_equals_the_composition_in_every_precision(shape):
    for seed, (activation, weight) in enumerate(itertools.product(ACTIVATIONS, WEIGHTS)):
        torch.manual_seed(seed)
        conv = BinaryConv2d(4, 6, activation=activation, weight=weight, **SHAPES[shape]).double()
        nn.init.normal_(conv.weight)  # some beyond the window
        assert_same(conv, torch.randn(2, 4, 7, 6, dtype=torch.float64), activation, weight)


@pytest.mark.parametrize('value', [-1, 1])
def test_border_of_another_value(value):
    torch.manual_seed(0)
    activation, weight = {'type': 'ApproxSign'}, {'type': 'ScaledSign', 'ste': 'clip'}
    conv = BinaryConv2d(3, 5, 3, 2, (1, 2), True, activation, weight, pad_value=value).double()
    assert_same(conv, torch.randn(2, 3, 6, 5, dtype=torch.float64), activation, weight)


def test_binary_times_binary_is_integers_times_the_scale():
    torch.manual_seed(0)
    conv = build_conv(BINARY, 8, 4, 3, padding=1).double()
    sums = conv(torch.randn(2, 8, 5, 5).double()) / conv.weight.abs().mean((1, 2, 3)).view(1, -1, 1, 1)
    torch.testing.assert_close(sums, sums.round(), rtol=0, atol=1e-12)


class Half(Binarizer):
    """A real function: it takes no sign."""

    def prepare(self, x):
        return x / 2


def test_binarizer_without_a_sign_gives_real_values():
    BINARIZERS.register_module(module=Half, force=True)
    try:
        conv = BinaryConv2d(3, 4, 3, activation={'type': 'Half'}, weight={'type': 'Half'})
    finally:
        BINARIZERS.module_dict.pop('Half')
    assert (conv.input_bits, conv.weight_bits) == (32, 32)
    x = torch.randn(2, 3, 5, 5)
    torch.testing.assert_close(conv(x), conv2d(x, conv.weight) / 4)


def test_gradient_only_where_it_is_wanted():
    conv = build_conv(BINARY, 3, 4, 3)
    x = torch.randn(1, 3, 5, 5)
    conv(x).sum().backward()
    assert conv.weight.grad is not None
    conv.zero_grad()
    conv.requires_grad_(False)
    conv(x.requires_grad_()).sum().backward()
    assert conv.weight.grad is None
    assert x.grad is not None


def test_one_state_dict_for_all_precisions():
    real = build_conv(REAL, 3, 4, 3)
    for config in (BINARY_INPUT, BINARY):
        other = build_conv(config, 3, 4, 3)
        other.load_state_dict(real.state_dict(), strict=True)
        assert torch.equal(other.weight, real.weight)
        assert isinstance(other, nn.Conv2d)
    assert type(real) is nn.Conv2d


@pytest.mark.parametrize(
    ('activation', 'kept'), [('ApproxSign', torch.float32), ('BoxSign', torch.int8), ('IdentitySign', torch.int8)]
)
@pytest.mark.parametrize('weight', WEIGHTS[:2])
def test_keeps_the_input_once_and_nothing_as_large_as_the_weights(activation, kept, weight):
    conv = BinaryConv2d(16, 16, 3, padding=1, activation={'type': activation}, weight=weight)
    x = torch.randn(2, 16, 8, 8, requires_grad=True)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (saved.append(t), t)[1], lambda t: t):
        conv(x)
    own = [t for t in saved if t.data_ptr() != conv.weight.data_ptr() and t.numel() > 16]
    assert [(t.dtype, t.shape) for t in own] == [(kept, x.shape)]
    assert (own[0].data_ptr() == x.data_ptr()) == (kept == torch.float32)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('config', [REAL, BINARY_INPUT, BINARY], ids=['real', 'binary input', 'binary'])
def test_autocast_computes_in_its_dtype_and_gives_gradients_in_theirs(config, dtype):
    torch.manual_seed(0)
    conv = build_conv(config, 8, 8, 3, padding=1, bias=True)
    x = torch.randn(2, 8, 6, 6, requires_grad=True)
    with torch.autocast('cpu', dtype=dtype):
        y = conv(x)
    assert y.dtype == dtype
    y.float().square().sum().backward()
    assert x.grad.dtype == conv.weight.grad.dtype == conv.bias.grad.dtype == torch.float32
    reduced, reference = x.grad.clone(), x.grad.zero_()
    conv(x).square().sum().backward()
    assert (reduced - reference).norm() < 0.02 * reference.norm()


def test_a_tiny_negative_number_keeps_its_sign_under_autocast():
    x = torch.full((1, 1, 1, 1), -1e-30, requires_grad=True)  # zero in half precision
    conv = BinaryConv2d(1, 1, 1, activation={'type': 'ApproxSign'})
    with torch.autocast('cpu', dtype=torch.float16):
        y = conv(x)
    assert y.item() == -conv.weight.half().item()
    y.sum().backward()
    assert conv.weight.grad.item() == -1


def test_autocast_leaves_double_alone():
    conv = build_conv(BINARY, 2, 2, 1).double()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert conv(torch.randn(1, 2, 3, 3).double()).dtype == torch.float64


@pytest.mark.parametrize('config', [BINARY_INPUT, BINARY])
def test_channels_last_is_kept_both_ways(config):
    conv = build_conv(config, 8, 8, 3, padding=1).to(memory_format=torch.channels_last)
    x = torch.randn(2, 8, 6, 6).to(memory_format=torch.channels_last).requires_grad_()
    y = conv(x)
    y.square().sum().backward()
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert x.grad.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize('activation', ['ApproxSign', 'BoxSign', 'IdentitySign'])
def test_never_looks_at_a_value(activation):
    conv = build_conv({**BINARY, 'activation': {'type': activation}}, 4, 4, 3, padding=1).to('meta')
    x = torch.empty(2, 4, 6, 6, device='meta', requires_grad=True)  # has no values: a sync would raise
    conv(x).sum().backward()
    assert x.grad.shape == x.shape


@pytest.mark.parametrize('activation', ['ApproxSign', 'BoxSign'])
def test_compiles_into_one_graph(activation):
    torch.manual_seed(0)
    conv = build_conv({**BINARY, 'activation': {'type': activation}, 'pad_value': 1}, 4, 4, 3, padding=1)
    compiled = torch.compile(conv, backend='aot_eager', fullgraph=True)
    x = torch.randn(2, 4, 6, 6, requires_grad=True)
    gradients = []
    for run in (conv, compiled):
        y = run(x)
        gradients.append(torch.autograd.grad(y.square().sum(), [x, conv.weight]))
    torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        ({**BINARY, 'pad_value': 2}, 'the border of a binary map is 0, 1 or -1'),
        ({'type': 'BinaryConv2d', 'pad_value': 1}, 'needs binary inputs'),
        ({'type': 'BinaryConv2d', 'activation': {'type': 'ScaledSign'}}, 'not for its activation; there take Adapt'),
        ({'type': 'BinaryConv2d', 'activation': {'type': 'AproxSign'}}, "did you mean 'ApproxSign'"),
        ({'type': 'BinaryConv2d', 'wieght': None}, "did you mean 'weight'"),
        ({'type': 'BinaryConv2d', 'stride': 2}, "conv_cfg sets \\['stride'\\]"),
        ({'type': 'BinConv'}, 'no convolution is called'),
        ('BINARY', "conv_cfg is 'BINARY'; give a dict"),
    ],
)
def test_bad_config_is_told_at_construction(config, message):
    with pytest.raises(ConfigError, match=message):
        build_conv(config, 4, 4, 3)


def test_without_gradients_the_output_is_the_same():
    torch.manual_seed(0)
    conv = BinaryConv2d(3, 4, 3, 1, 1, True, {'type': 'BoxSign'}, {'type': 'ScaledSign'}, pad_value=-1)
    x = torch.randn(2, 3, 5, 5)
    with torch.no_grad():
        y = conv(x)
    assert not y.requires_grad
    assert torch.equal(y, conv(x))


def test_an_image_without_a_batch_is_refused():
    with pytest.raises(ValueError, match=r'takes a batch \(N, C, H, W\), not a tensor of \(3, 5, 5\)'):
        build_conv(BINARY, 3, 4, 3)(torch.randn(3, 5, 5))


def test_padding_by_name_is_refused():
    with pytest.raises(ConfigError, match="padding 'same'"):
        BinaryConv2d(4, 4, 3, padding='same')
