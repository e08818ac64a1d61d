"""Features whose spread and rank have closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from hooks.stand_in import StandIn
from torch import Tensor, nn

from binssl.core.precision import feature_std
from binssl.hooks import FeatureSpreadHook
from binssl.hooks.collapse import effective_rank
from binssl.registry import ConfigError


def orthonormal(rows: int, columns: int) -> Tensor:
    draw = torch.Generator().manual_seed(0)
    square = torch.linalg.qr(torch.randn(columns, columns, generator=draw, dtype=torch.float64)).Q
    return square[:rows]


def test_spread_is_one_where_opposite_axes_are_taken_alike():
    axes = torch.eye(6, dtype=torch.float64)
    assert feature_std(torch.cat([3 * axes, -axes])).item() == pytest.approx(1)


def test_spread_of_the_axes_themselves_lacks_their_mean():
    # in each of the D dimensions one 1 and D - 1 zeros: variance 1/D - 1/D^2
    assert feature_std(5 * torch.eye(8)).item() == pytest.approx(math.sqrt(1 - 1 / 8))


def test_spread_of_many_random_directions_is_nearly_one():
    features = torch.randn(4000, 16, generator=torch.Generator().manual_seed(0))
    assert feature_std(features).item() == pytest.approx(1, abs=0.01)


def test_spread_is_nought_for_rows_of_one_direction():
    row = torch.arange(1.0, 6.0, dtype=torch.float64)
    assert feature_std(row * torch.tensor([[1.0], [2.0], [30.0]])).item() == pytest.approx(0, abs=1e-7)


def test_spread_depends_on_directions_only():
    features = torch.randn(20, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    lengths = torch.linspace(0.1, 9, 20, dtype=torch.float64)[:, None]
    assert feature_std(features * lengths).item() == pytest.approx(feature_std(features).item(), rel=1e-12)


@pytest.mark.parametrize('rank', [1, 3, 8])
def test_rank_of_orthonormal_rows_is_their_number(rank):
    rows = orthonormal(rank, 8)
    assert effective_rank(rows) == pytest.approx(rank, rel=1e-5)
    assert effective_rank(rows.repeat(7, 1)) == pytest.approx(rank, rel=1e-5)


def test_rank_is_one_for_multiples_of_one_row():
    row = torch.arange(1.0, 6.0, dtype=torch.float64)
    assert effective_rank(row * torch.tensor([[1.0], [-2.0], [30.0], [4.0]])) == pytest.approx(1, abs=1e-5)


def test_rank_is_the_entropy_of_the_singular_values():
    rows = torch.tensor([3.0, 1.0], dtype=torch.float64)[:, None] * orthonormal(2, 5)
    expected = math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    assert effective_rank(rows) == pytest.approx(expected, rel=1e-6)
    assert effective_rank(rows.T) == pytest.approx(expected, rel=1e-6)


# the hook


class Trunk(nn.Module):
    """A neck that gives what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.neck = nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        return self.neck(features)


def seen(*iterations: tuple[Tensor, ...], **settings: object) -> tuple[FeatureSpreadHook, StandIn]:
    """The hook after iterations, each with its views."""
    model = Trunk()
    hook, runner = FeatureSpreadHook(**{'interval': 1, **settings}), StandIn(model)
    hook.before_train(runner)
    for views in iterations:
        runner.iterate(hook, lambda views=views: [model(view) for view in views])
    assert not model.neck._forward_hooks
    return hook, runner


GOOD, SAME = torch.cat([torch.eye(4), -torch.eye(4)]), torch.ones(8, 4)


def test_first_view_is_looked_at():
    hook, _ = seen((GOOD, SAME))
    assert hook.values == pytest.approx(dict(feature_spread=1, feature_rank=4), rel=1e-5)
    hook, _ = seen((torch.cat([SAME, GOOD]),), images=8)
    assert hook.values == pytest.approx(dict(feature_spread=0, feature_rank=1), abs=1e-5)


def test_neck_is_hooked_in_the_iterations_that_are_looked_at_only():
    model = Trunk()
    hook, runner = FeatureSpreadHook(interval=2), StandIn(model)
    hooked = []
    runner.iterate(hook, lambda: hooked.append(len(model.neck._forward_hooks)), times=4)
    assert hooked == [0, 1, 0, 1]


def test_features_are_those_that_the_neck_gave_whatever_a_head_does_to_them():
    model = Trunk()
    hook, runner = FeatureSpreadHook(interval=1), StandIn(model)
    runner.iterate(hook, lambda: model(GOOD.clone()).zero_())
    assert hook.values['feature_rank'] == pytest.approx(4, rel=1e-5)


def test_without_a_neck_or_with_one_image_there_is_nothing_to_say():
    hook, runner = FeatureSpreadHook(interval=1), StandIn(nn.Identity())
    runner.iterate(hook)
    assert (hook.values, runner.warnings) == ({}, [])
    hook, runner = seen((GOOD[:1],))
    assert (hook.values, runner.warnings) == ({}, [])


@pytest.mark.parametrize('bad', [math.nan, math.inf])
def test_features_that_are_no_numbers_give_none(bad):
    hook, runner = seen((GOOD,), (GOOD * bad,))
    assert all(math.isfinite(value) for value in hook.values.values())
    assert runner.warnings == []


def test_collapse_is_warned_of_once_until_it_is_well():
    _, runner = seen((SAME,), (SAME,), (GOOD,), (torch.zeros(8, 4),))
    assert len(runner.warnings) == 2
    assert 'spread 0.000 (1 is even, below 0.05 is warned of), effective rank 1.0 (below 1.5)' in runner.warnings[0]
    assert 'collapses' in runner.warnings[0]


def test_two_opposite_directions_are_a_collapse_of_rank_one():
    hook, runner = seen((torch.cat([SAME, -SAME]),))
    assert hook.values['feature_spread'] == pytest.approx(1)
    assert len(runner.warnings) == 1


@pytest.mark.parametrize(
    ('setting', 'rule'),
    [
        (dict(least_spread=2), 'a share'),
        (dict(least_rank=-1), 'at least 0'),
        (dict(least_rank=math.nan), 'at least 0'),
        (dict(images=1), 'at least 2'),
        (dict(interval=-5), 'at least 1'),
    ],
)
def test_bad_settings_are_named(setting, rule):
    ((name, value),) = setting.items()
    with pytest.raises(ConfigError, match=f'{name} .*{value!r}; .*{rule}'):
        FeatureSpreadHook(**setting)


# what all of them share


def test_number_that_is_not_finite_takes_the_older_one_away():
    hook = FeatureSpreadHook()
    hook.report(feature_spread=0.5, feature_rank=2.0)
    hook.report(feature_spread=math.nan)
    assert hook.values == dict(feature_rank=2.0)
