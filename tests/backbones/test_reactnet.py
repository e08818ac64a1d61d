"""ReActNet: plans, precisions, what is used and what is kept, bad input."""

import pytest
import torch
from torch import nn

from binssl.backbones import ReActNet
from binssl.binary import BINARY, BINARY_INPUT, REAL, BinaryConv2d
from binssl.registry import BACKBONES, ConfigError

DIGITS = {'channels': [16, 32, 64, 64, 128, 128], 'strides': [1, 2, 1, 2, 1], 'stem_stride': 1}
SMALL = {'channels': [8, 16, 16, 32], 'strides': [1, 1, 2], 'stem_stride': 1}
PRECISIONS = {'real': REAL, 'binary input': BINARY_INPUT, 'binary': BINARY}


def small(precision='binary', **changes):
    torch.manual_seed(0)
    return BACKBONES.build({'type': 'ReActNet', 'conv_cfg': PRECISIONS[precision], **SMALL, **changes})


def test_plan_a():
    network = ReActNet()
    (last,) = network.eval()(torch.randn(1, 3, 32, 32))
    assert last.shape == (1, 1024, 1, 1)
    assert network.out_channels == 1024
    convs = [module for module in network.modules() if isinstance(module, BinaryConv2d)]
    assert len(convs) == 31
    assert all(conv.activation is not None and conv.weight_binarizer is not None for conv in convs)
    # S2-BNN's 35.10 M less 5.60 M of branches that it never uses and 1.18 M of its head
    assert sum(p.numel() for p in network.parameters()) == 28_318_592


def test_digits_plan_ends_at_two_pixels():
    network = BACKBONES.build({'type': 'ReActNet', **DIGITS, 'input_size': 8})
    assert network(torch.randn(2, 3, 8, 8))[-1].shape == (2, 128, 2, 2)


@pytest.mark.parametrize('precision', PRECISIONS)
def test_every_parameter_gets_a_gradient(precision):
    network = small(precision)
    network(torch.randn(4, 3, 8, 8))[-1].square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


def test_weights_go_through_all_precisions():
    real, binary_input, binary = (small(precision) for precision in PRECISIONS)
    binary_input.load_state_dict(real.state_dict(), strict=True)
    binary.load_state_dict(binary_input.state_dict(), strict=True)
    images = torch.randn(2, 3, 8, 8)
    outputs = [network.eval()(images)[-1] for network in (real, binary_input, binary)]
    assert not torch.allclose(outputs[0], outputs[1])
    assert not torch.allclose(outputs[1], outputs[2])


def test_initial_binary_weights_have_both_signs():
    for module in small().modules():
        if isinstance(module, BinaryConv2d):
            assert 0.3 < (module.weight >= 0).float().mean() < 0.7


def test_chosen_maps():
    network = small(out_indices=(0, 2, -1))
    maps = network(torch.randn(2, 3, 8, 8))
    assert [tuple(m.shape) for m in maps] == [(2, 8, 8, 8), (2, 16, 8, 8), (2, 32, 4, 4)]
    assert small(out_indices=(1,)).out_channels == 16


def test_a_block_against_its_equation():
    block = small().double().blocks[2]  # 16 -> 32, stride 2
    block.eval()
    x = torch.randn(2, 16, 6, 6).double()
    first, second = block.spatial, block.pointwise
    pooled = x.view(2, 16, 3, 2, 3, 2).mean((3, 5))
    u = first.activation(first.norm(first.conv(x + first.shift.bias)) + pooled)
    shifted = u + second.shift.bias
    halves = [second.norms[i](second.convs[i](shifted)) + u for i in range(2)]
    torch.testing.assert_close(block(x), second.activation(torch.cat(halves, 1)))


@pytest.mark.parametrize('size', [3, 5, 7, 9])
def test_odd_maps_are_halved_by_convolution_and_shortcut_alike(size):
    network = ReActNet([4, 8, 16], [2, 2], 1)
    assert network(torch.randn(2, 3, size, size))[-1].shape[-1] == -(-size // 4)


@pytest.mark.parametrize(
    ('strides', 'stem', 'smallest'),
    [([1, 1], 2, 1), ([2], 1, 2), ([2, 2], 1, 3), ([2, 2], 2, 5), ([2, 1, 2, 2, 2], 2, 17)],
)
def test_smallest_input_fits_and_one_pixel_less_does_not(strides, stem, smallest):
    network = ReActNet([4] * (len(strides) + 1), strides, stem, input_size=smallest).eval()
    assert network.smallest_input == smallest
    assert min(network(torch.randn(1, 3, smallest, smallest))[-1].shape[-2:]) == 1
    if smallest > 1:
        with pytest.raises(ValueError, match=f'{smallest - 1} x 40 px .* smallest that fit are {smallest}'):
            network(torch.randn(1, 3, smallest - 1, 40))
        with pytest.raises(ConfigError, match=f'smallest that fit are {smallest}'):
            ReActNet([4] * (len(strides) + 1), strides, stem, input_size=smallest - 1)


def test_plan_a_refuses_digits():
    with pytest.raises(ConfigError, match='images of 8 x 8 px are too small for this plan'):
        ReActNet(input_size=8)


@pytest.mark.parametrize(('activation', 'limit'), [('ApproxSign', 560), ('BoxSign', 300)])
def test_kept_memory_at_batch_16_and_128_px(activation, limit):
    network = ReActNet(conv_cfg={**BINARY, 'activation': {'type': activation}})
    owned = {parameter.data_ptr() for parameter in network.parameters()}
    saved = {}

    def note(tensor):
        saved[tensor.untyped_storage().data_ptr()] = tensor  # held, so that no address comes twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = network(torch.randn(2, 3, 128, 128))
    kept = sum(tensor.untyped_storage().nbytes() for at, tensor in saved.items() if at not in owned)
    assert output
    assert kept * 16 / 2 < limit * 1e6


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast_keeps_the_maps_in_half(dtype):
    network = small()
    with torch.autocast('cpu', dtype=dtype):
        (last,) = network(torch.randn(4, 3, 8, 8))
    assert last.dtype == dtype
    last.float().square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad.dtype == torch.float32, name
        assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize('precision', PRECISIONS)
def test_compiles_into_one_graph(precision):
    network = small(precision)
    compiled = torch.compile(network, backend='aot_eager', fullgraph=True)
    images = torch.randn(4, 3, 8, 8)
    gradients = []
    for run in (network, compiled):
        network.zero_grad()
        run(images)[-1].square().mean().backward()
        gradients.append([parameter.grad.clone() for parameter in network.parameters()])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-5)


def test_channels_last_is_kept():
    network = small().to(memory_format=torch.channels_last)
    images = torch.randn(2, 3, 8, 8).to(memory_format=torch.channels_last)
    assert network(images)[-1].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'strides': [1, 2]}, '4 channels and 2 strides do not fit.* give 3 strides'),
        ({'strides': [1, 1, 3]}, 'strides must be 1 or 2, not 3'),
        ({'stem_stride': 4}, 'strides must be 1 or 2, not 4'),
        ({'channels': [8, 12, 12, 24]}, 'from 8 to a multiple of it, not to 12'),
        ({'channels': [8, 16, 8, 8]}, 'from 16 to a multiple of it, not to 8'),
        ({'out_indices': (4,)}, 'out_indices'),
        ({'out_indices': ()}, 'out_indices'),
        ({'stem_strides': 1}, "did you mean 'stem_stride'"),
    ],
)
def test_bad_plan_is_told_at_construction(changes, message):
    with pytest.raises(ConfigError, match=message):
        small(**changes)


def test_the_stem_stays_real():
    assert type(small().stem.conv) is nn.Conv2d
