"""Bi-Real-50: its plan, its blocks against their equations, sizes, bad input. Whole: test_convert_bireal50.py."""

import pytest
import torch
from torch import nn

from binssl.backbones import TwoStreamResNet
from binssl.binary import BinaryConv2d
from binssl.registry import BACKBONES, ConfigError

SMALL = {'widths': [4, 8], 'depths': [2, 2], 'stem': 'small'}


def small(**changes):
    torch.manual_seed(0)
    return TwoStreamResNet(**{**SMALL, **changes}).double().eval()


def signs_of(conv):
    return conv.input_bits == 1


def test_the_defaults_are_bireal_50():
    network = TwoStreamResNet()
    blocks = [block for stage in network.stages for block in stage]
    assert [len(stage) for stage in network.stages] == [3, 4, 6, 3]
    convs = [module for module in network.modules() if isinstance(module, BinaryConv2d)]
    assert len(convs) == 3 * 16
    assert [signs_of(conv) for conv in convs] == [False] + [True] * 47
    assert network.out_channels == 2048
    assert isinstance(network.stem.activation, nn.Identity)
    assert [isinstance(block.narrow_shortcut, nn.Conv2d) for block in blocks].count(True) == 3
    assert network(torch.randn(2, 3, 33, 33))[-1].shape == (2, 2048, 2, 2)


def halved(x):
    return x.unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2))


def linear(x, conv):
    return torch.einsum('oi,nihw->nohw', conv.weight[..., 0, 0], x)


def test_the_first_block_is_real_in_front_and_takes_nothing_from_the_narrow_stream():
    block = small().stages[0][0]
    narrow, wide = torch.randn(2, 2, 4, 6, 6).double() * 2
    clipped = wide.clamp(-1, 1) + 0.1 * (wide - wide.clamp(-1, 1))
    reduced = block.reduce.norm(linear(clipped, block.reduce.conv))
    inner = block.spatial(reduced) + reduced
    outer = block.expand(inner) + block.wide_shortcut.norm(linear(wide, block.wide_shortcut.conv))
    torch.testing.assert_close(block((narrow, wide)), (inner, outer))


def test_a_block_that_changes_the_stage():
    block = small().stages[1][0]
    narrow, wide = torch.randn(2, 4, 6, 6).double(), torch.randn(2, 16, 6, 6).double()
    reduced = block.reduce(wide) + linear(narrow, block.narrow_shortcut)
    inner = block.spatial(reduced) + halved(reduced)
    outer = block.expand(inner) + block.wide_shortcut.norm(linear(halved(wide), block.wide_shortcut.conv))
    assert inner.shape == (2, 8, 3, 3)
    torch.testing.assert_close(block((narrow, wide)), (inner, outer))


def test_an_inner_block_adds_its_inputs():
    block = small().stages[1][1]
    narrow, wide = torch.randn(2, 8, 3, 3).double(), torch.randn(2, 32, 3, 3).double()
    reduced = block.reduce(wide) + narrow
    inner = block.spatial(reduced) + reduced
    torch.testing.assert_close(block((narrow, wide)), (inner, block.expand(inner) + wide))


def test_the_map_is_the_wide_stream_of_the_chosen_stages():
    network = small(out_indices=(0, -1))
    maps = network(torch.randn(2, 3, 9, 9).double())
    assert [tuple(found.shape) for found in maps] == [(2, 16, 9, 9), (2, 32, 5, 5)]
    assert small(out_indices=(0,)).out_channels == 16


@pytest.mark.parametrize(('stem', 'stages', 'smallest'), [('small', 1, 1), ('small', 3, 3), ('imagenet', 4, 17)])
def test_smallest_input_fits_and_one_pixel_less_does_not(stem, stages, smallest):
    plan = {'widths': [4] * stages, 'depths': [1] * stages, 'stem': stem}
    network = TwoStreamResNet(**plan, input_size=smallest).eval()
    assert network(torch.randn(1, 3, smallest, smallest))[-1].shape == (1, 16, 1, 1)
    if smallest > 1:
        with pytest.raises(ConfigError, match=f'{smallest - 1} x 40 px .* smallest that fit are {smallest}'):
            network(torch.randn(1, 3, smallest - 1, 40))
        with pytest.raises(ConfigError, match=f'smallest that fit are {smallest}'):
            TwoStreamResNet(**plan, input_size=smallest - 1)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'depths': [1]}, 'must have one number >= 1 for each stage'),
        ({'stem': 'tiny'}, "stem 'tiny' must be"),
        ({'out_indices': (2,)}, 'must name some of the 2 stages'),
        ({'input_size': 1}, 'images of 1 x 1 px are too small for this plan'),
        ({'depth': [1]}, "did you mean 'depths'"),
    ],
)
def test_bad_plan_is_told_at_construction(changes, message):
    with pytest.raises(ConfigError, match=message):
        BACKBONES.build({'type': 'TwoStreamResNet', **SMALL, **changes})
