"""Pooling: means and places by hand."""

from __future__ import annotations

import pytest
import torch

from binssl.necks import PoolMLP
from binssl.registry import NECKS, ConfigError

MAPS = (torch.zeros(2, 9, 5, 5), torch.arange(24.0).view(2, 3, 2, 2))


def test_mean_of_the_last_map():
    # each channel holds four consecutive numbers: 0 1 2 3 -> 1.5, ...
    wanted = torch.tensor([[1.5, 5.5, 9.5], [13.5, 17.5, 21.5]])
    assert torch.equal(PoolMLP()(MAPS), wanted)


def test_flatten_keeps_the_places():
    assert torch.equal(PoolMLP(pool='flatten')(MAPS), torch.arange(24.0).view(2, 12))


def test_without_widths_there_is_no_parameter():
    neck = PoolMLP(in_channels=3)
    assert not list(neck.state_dict())
    assert neck.out_channels == 3


def test_fc_and_relu_of_burn_follow_the_mean():
    torch.manual_seed(0)
    neck = PoolMLP(in_channels=3, widths=[50], last_activation=True)
    assert set(neck.state_dict()) == {'mlp.linear0.weight', 'mlp.linear0.bias'}
    linear = neck.mlp.linear0
    wanted = (MAPS[-1].mean((2, 3)) @ linear.weight.T + linear.bias).clamp(min=0)
    torch.testing.assert_close(neck(MAPS), wanted)
    assert (wanted == 0).any()


@pytest.mark.parametrize('pool', ['mean', 'flatten'])
def test_the_batch_norm_of_recu_follows_the_pool(pool):
    torch.manual_seed(0)
    neck = PoolMLP(in_channels=3 if pool == 'mean' else 12, pool_norm='BN', pool=pool).double()
    assert neck.out_channels == neck.in_channels
    assert {key for key, _ in neck.named_parameters()} == {'norm.weight', 'norm.bias'}
    torch.nn.init.normal_(neck.norm.weight)
    maps = torch.randn(5, 3, 2, 2, dtype=torch.float64)
    pooled = maps.mean((2, 3)) if pool == 'mean' else maps.reshape(5, 12)
    wanted = (pooled - pooled.mean(0)) / (pooled.var(0, unbiased=False) + neck.norm.eps).sqrt() * neck.norm.weight
    torch.testing.assert_close(neck((maps,)), wanted)


def test_the_batch_norm_stands_in_front_of_the_layers():
    torch.manual_seed(0)
    neck = PoolMLP(in_channels=3, widths=[4], pool_norm='BN').eval()
    wanted = neck.mlp(MAPS[-1].mean((2, 3)) / (1 + neck.norm.eps) ** 0.5)
    torch.testing.assert_close(neck(MAPS), wanted)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(pool='max'), "pool 'max' is unknown: take 'mean' or 'flatten'"),
        (dict(widths=[4]), r'widths \[4\] needs in_channels'),
        (dict(pool_norm='BN'), "pool_norm 'BN' needs in_channels"),
        (dict(in_channels=4, pool_norm='LN'), "pool_norm 'LN' is unknown: take 'BN' or None"),
        (dict(in_channels=4, last_activation=True), 'no layer for last_activation'),
        (dict(width=[4]), "does not take 'width'.*'widths'"),
    ],
)
def test_bad_settings_are_named(options, message):
    with pytest.raises(ConfigError, match=message):
        NECKS.build(dict(type='PoolMLP', **options))
