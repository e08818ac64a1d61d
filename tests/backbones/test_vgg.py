"""VGG: the plan of VGG-small, one network against its equations, sizes, bad input."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from binssl.algorithms import Encoder
from binssl.backbones import VGG
from binssl.binary import BINARY, REAL, BinaryConv2d
from binssl.registry import BACKBONES, ConfigError

SMALL = {'widths': [8, 12], 'depths': [1, 2]}


def test_the_defaults_are_vgg_small():
    network = VGG(input_size=32)
    convs = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert [conv.out_channels for conv in convs] == [128, 128, 256, 256, 512, 512]
    assert [isinstance(conv, BinaryConv2d) for conv in convs] == [False] + [True] * 5
    (last,) = network.eval()(torch.randn(1, 3, 32, 32))
    assert last.shape == (1, network.out_channels, network.map_size, network.map_size) == (1, 512, 4, 4)
    # real stem and 5 binary convolutions of 9 weights a pair of channels, 6 BatchNorms of 2 numbers a channel
    pairs = 3 * 128 + 128 * 128 + 128 * 256 + 256 * 256 + 256 * 512 + 512 * 512
    assert sum(p.numel() for p in network.parameters()) == 9 * pairs + 2 * 2 * (128 + 256 + 512)


def normalised(x, norm):
    mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), unbiased=False, keepdim=True)
    weight, bias = (value.view(1, -1, 1, 1) for value in (norm.weight, norm.bias))
    return (x - mean) / (variance + norm.eps).sqrt() * weight + bias


def test_against_its_equations():
    torch.manual_seed(0)
    network = VGG(**SMALL).double()
    images = torch.randn(4, 3, 8, 8).double()
    x = normalised(F.conv2d(images, network.stem.conv.weight, padding=1), network.stem.norm).clamp(-1, 1)
    for stage, unit, halve in ((0, 0, True), (1, 0, False), (1, 1, True)):
        part = network.stages[stage][unit]
        weight = part.conv.weight
        binary = weight.abs().mean((1, 2, 3), keepdim=True) * torch.where(weight >= 0, 1.0, -1.0).double()
        x = F.conv2d(torch.where(x >= 0, 1.0, -1.0).double(), binary, padding=1)
        if halve:
            x = x.unfold(2, 2, 2).unfold(3, 2, 2).amax((-1, -2))
        x = normalised(x, part.norm).clamp(-1, 1)
    torch.testing.assert_close(network(images)[-1], x, rtol=1e-12, atol=1e-12)


def test_flattened_by_the_neck_behind_a_head_of_the_maps_size():
    backbone = {'type': 'VGG', **SMALL, 'input_size': 9}
    head = {'type': 'LinearHead', 'in_channels': 12 * 2 * 2, 'num_classes': 5}
    encoder = Encoder(backbone, {'type': 'PoolMLP', 'pool': 'flatten'}, head)
    assert encoder(torch.randn(3, 3, 9, 9)).shape == (3, 5)  # a max pool rounds down
    assert VGG(**SMALL).map_size is None


@pytest.mark.parametrize(('stages', 'smallest'), [(1, 2), (2, 4), (3, 8)])
def test_smallest_input_fits_and_one_pixel_less_does_not(stages, smallest):
    plan = {'widths': [4] * stages, 'depths': [1] * stages}
    network = VGG(**plan, input_size=smallest).eval()
    assert network(torch.randn(1, 3, smallest, smallest))[-1].shape == (1, 4, 1, 1)
    with pytest.raises(ConfigError, match=f'{smallest - 1} x 40 px .* smallest that fit are {smallest}'):
        network(torch.randn(1, 3, smallest - 1, 40))
    with pytest.raises(ConfigError, match=f'smallest that fit are {smallest}'):
        VGG(**plan, input_size=smallest - 1)


def test_images_of_another_size_than_promised_are_refused():
    with pytest.raises(ConfigError, match='images of 8 x 8 px give maps of 2 x 2, and input_size promises 4 x 4'):
        VGG(**SMALL, input_size=16)(torch.randn(1, 3, 8, 8))


def test_a_relu_is_for_real_networks():
    VGG(**SMALL, activation='ReLU', conv_cfg=REAL)
    with pytest.raises(ConfigError, match=r"activation='ReLU' leaves no negative number.*take activation='Hardtanh'"):
        VGG(**SMALL, activation='ReLU', conv_cfg=BINARY)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'depths': [1]}, 'must have one number >= 1 for each stage'),
        ({'depths': [1, 0]}, 'must have one number >= 1 for each stage'),
        ({'activation': 'GELU'}, "activation 'GELU' is none of None, 'ReLU', 'Hardtanh', 'RPReLU'"),
        ({'input_size': 3}, 'images of 3 x 3 px are too small for this plan.*or take fewer stages'),
        ({'width': [8]}, "did you mean 'widths'"),
    ],
)
def test_bad_plan_is_told_at_construction(changes, message):
    with pytest.raises(ConfigError, match=message):
        BACKBONES.build({'type': 'VGG', **SMALL, **changes})
