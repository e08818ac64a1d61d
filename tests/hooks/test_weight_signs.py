"""Signs that are flipped by hand, over steps that are counted by hand."""

from __future__ import annotations

import pytest
import torch
from hooks.stand_in import StandIn
from torch import Tensor, nn

from binssl.binary import BinaryConv2d
from binssl.binary.binarizers import Binarizer
from binssl.hooks import WeightSignHook
from binssl.registry import BINARIZERS, HOOKS, ConfigError

CLIP = dict(type='ScaledSign')


def network(*weights: dict | None) -> nn.Sequential:
    """A layer of 4 x 5 weights, all 0.5, for each binarizer."""
    convs = [BinaryConv2d(5, 4, 1, weight=weight) for weight in weights]
    for conv in convs:
        nn.init.constant_(conv.weight, 0.5)
    return nn.Sequential(*convs)


@torch.no_grad()
def flip(conv: BinaryConv2d, count: int) -> None:
    """Turn the signs of the first ``count`` weights."""
    conv.weight.view(-1)[:count].neg_()


def started(model: nn.Module, accumulative_counts: int = 1, **settings: object) -> tuple[WeightSignHook, StandIn]:
    hook, runner = WeightSignHook(**settings), StandIn(model, accumulative_counts)
    hook.before_train(runner)
    return hook, runner


def test_flip_rate_is_the_share_of_signs_that_differ_over_the_steps_in_between():
    model = network(CLIP, CLIP)
    hook, runner = started(model, interval=5)
    runner.iterate(hook, times=4)
    flip(model[1], 3)
    assert hook.values == {}
    runner.iterate(hook)
    assert hook.values['flip_rate'] == pytest.approx(3 / 40 / 5)
    runner.iterate(hook, times=5)
    assert hook.values['flip_rate'] == 0


def test_weight_that_flipped_back_is_not_seen():
    model = network(CLIP)
    hook, runner = started(model, interval=2)
    runner.iterate(hook, lambda: flip(model[0], 7), times=2)
    assert hook.values['flip_rate'] == 0


def test_both_zeros_are_positive():
    model = network(CLIP)
    hook, runner = started(model, interval=1)
    with torch.no_grad():
        model[0].weight.view(-1)[:3] = torch.tensor([0.0, -0.0, -1e-30])
    runner.iterate(hook)
    assert hook.values['flip_rate'] == pytest.approx(1 / 20)


@pytest.mark.parametrize(('interval', 'counts', 'steps'), [(6, 2, 3), (3, 2, 1), (1, 4, 1)])
def test_steps_are_the_optimisers_where_batches_accumulate(interval, counts, steps):
    """With an interval of 3 and 2 batches a step, the first look comes after one whole step."""
    model = network(CLIP)
    hook, runner = started(model, counts, interval=interval)
    runner.iterate(hook, times=counts - 1)
    flip(model[0], 4)
    while not hook.values:
        runner.iterate(hook)
    assert hook.values['flip_rate'] == pytest.approx(4 / 20 / steps)


def test_resume_within_an_interval_waits_for_a_whole_one():
    model = network(CLIP)
    hook, runner = WeightSignHook(interval=5), StandIn(model)
    runner.iter = 3
    hook.before_train(runner)
    runner.iterate(hook, times=2)
    flip(model[0], 2)
    assert hook.values == {}
    runner.iterate(hook, times=5)
    assert hook.values['flip_rate'] == pytest.approx(2 / 20 / 5)


def test_weights_are_dead_after_so_many_comparisons_without_a_flip():
    model = network(CLIP)
    hook, runner = started(model, interval=2, dead_after=3)
    seen = []
    for flipped in (5, 0, 0, 2, 0, 0):  # 2 of the first 5 flip again at the fourth comparison
        flip(model[0], flipped)
        runner.iterate(hook, times=2)
        seen.append(hook.values.get('dead_weights'))
    assert seen == [None, None, 15 / 20, 18 / 20, 18 / 20, 18 / 20]
    runner.iterate(hook, times=2)
    assert hook.values['dead_weights'] == 1


def test_weights_stay_dead_beyond_what_a_byte_counts():
    hook, runner = started(network(CLIP), interval=1, dead_after=255)
    runner.iterate(hook, times=300)
    assert hook.values['dead_weights'] == 1


def test_saturated_weights_lie_beyond_one_where_the_gradient_ends_there():
    model = network(CLIP, dict(type='IdentitySign'))
    nn.init.constant_(model[1].weight, 9.0)  # these go on learning
    with torch.no_grad():
        model[0].weight.view(-1)[:6] = torch.tensor([1.0, -1.0, 1.01, -3.0, 2.0, 0.0])
    hook, runner = started(model, interval=1)
    runner.iterate(hook)
    assert hook.values['saturated_weights'] == 3 / 20
    hook, runner = started(network(dict(type='IdentitySign')), interval=1)
    runner.iterate(hook)
    assert set(hook.values) == {'flip_rate'}


def test_real_and_frozen_weights_are_not_watched():
    model = network(CLIP, None, CLIP)
    model[2].requires_grad_(False)
    hook, runner = started(model, interval=1)
    for conv in model:
        flip(conv, 10)
    runner.iterate(hook)
    assert hook.values['flip_rate'] == 10 / 20


def test_binarizer_of_ones_own_is_asked_for_its_signs():
    @BINARIZERS.register_module(force=True)
    class AboveOne(Binarizer):
        def __init__(self) -> None:
            super().__init__('identity')

        def prepare(self, x: Tensor) -> Tensor:
            return x - 1

    try:
        model = network(dict(type='AboveOne'))
    finally:
        BINARIZERS.module_dict.pop('AboveOne')
    hook, runner = started(model, interval=1)
    with torch.no_grad():
        model[0].weight.view(-1)[:8] = torch.tensor([0.9, -0.9, -9.0, 0.0, 0.1, 1.1, 2.0, 3.0])
    runner.iterate(hook)
    assert hook.values == dict(flip_rate=pytest.approx(3 / 20))


def test_a_sign_is_that_of_the_prepared_weight():
    model = network(dict(type='RectifiedSign'))
    nn.init.normal_(model[0].weight)
    hook, runner = started(model, interval=1)
    with torch.no_grad():
        model[0].weight.add_(100)  # the mean of each filter moves with it
    runner.iterate(hook)
    assert hook.values == dict(flip_rate=0)
    with torch.no_grad():
        model[0].weight.neg_()
    runner.iterate(hook)
    assert hook.values == dict(flip_rate=1)


def test_weights_of_other_levels_are_watched_in_their_preparation():
    model = network(dict(type='AdaptiveWeightSign', gradient='clip'))  # mean and deviation of each filter are taken out
    filters = torch.tensor([-2.0, -1, 0, 1, 2]).repeat(4, 1).view(4, 5, 1, 1)  # deviation 1.41: the ends lie outside
    with torch.no_grad():
        model[0].weight.copy_(0.01 * filters + 7)
    hook, runner = started(model, interval=1)
    with torch.no_grad():
        model[0].weight[0] = 14 - model[0].weight[0]  # all of a filter but its middle change sides
    runner.iterate(hook)
    assert hook.values['saturated_weights'] == pytest.approx(8 / 20)
    assert hook.values['flip_rate'] == pytest.approx(
        4 / 20, abs=1.01 / 20
    )  # the middle lies at the rounding of its mean


# words


def test_few_flips_are_warned_of_once_until_signs_flip_again():
    model = network(CLIP)
    hook, runner = started(model, interval=2, least_flip_rate=0.03)  # 1 of 20 weights in 2 steps is 0.025
    flip(model[0], 1)
    runner.iterate(hook, times=6)
    assert len(runner.warnings) == 1
    assert '2.5e-02 of them a step, below 3e-02' in runner.warnings[0]
    assert 'higher learning rate' in runner.warnings[0]
    flip(model[0], 2)
    runner.iterate(hook, times=2)
    assert len(runner.warnings) == 1
    runner.iterate(hook, times=2)
    assert len(runner.warnings) == 2


@pytest.mark.parametrize(('interval', 'warned'), [(4, 0), (5, 1)])
def test_few_flips_are_told_where_the_least_rate_would_be_one_flip(interval, warned):
    hook, runner = started(network(CLIP), interval=interval, least_flip_rate=0.01)  # of 20 weights, 0.2 a step
    runner.iterate(hook, times=interval)
    assert len(runner.warnings) == warned


def test_few_flips_are_no_fault_of_an_annealed_rate():
    hook, runner = started(network(CLIP), interval=1, dead_after=1, least_flip_rate=0.1)
    runner.rate = 0.09
    runner.iterate(hook, times=3)
    assert runner.warnings == []
    runner.rate = 0.11
    runner.iterate(hook)
    assert [word for words in runner.warnings for word in ('flips any more', 'are dead') if word in words] == [
        'flips any more',
        'are dead',
    ]
    assert '100.0% of the binary weights are dead' in runner.warnings[1]
    assert 'in the last 1 iterations (above 99%)' in runner.warnings[1]


def test_many_flips_are_warned_of_from_the_second_epoch_on():
    model = network(CLIP)
    hook, runner = started(model, interval=2)
    runner.epoch_length = 4
    for expected in (0, 0, 1, 1):
        flip(model[0], 8)
        runner.iterate(hook, times=2)
        assert len(runner.warnings) == expected
    assert '40% of the binary weights changed their sign within 2 iterations (above 35%' in runner.warnings[0]


def test_saturated_weights_are_warned_of_and_explain_the_missing_flips():
    model = network(CLIP)
    nn.init.constant_(model[0].weight, 5.0)
    hook, runner = started(model, interval=1, dead_after=1, least_flip_rate=0.1)
    runner.iterate(hook, times=2)
    assert len(runner.warnings) == 1
    assert '100% of the binary weights lie outside [-1, 1] (above 50%)' in runner.warnings[0]


@pytest.mark.parametrize(
    ('setting', 'rule'),
    [
        (dict(least_flip_rate=-1e-6), 'a share'),
        (dict(most_flipped=1.5), 'a share'),
        (dict(most_dead='all'), 'float'),
        (dict(most_saturated=float('nan')), 'a number'),
        (dict(dead_after=0), 'from 1 to 255'),
        (dict(dead_after=256), 'from 1 to 255'),
        (dict(interval=0), 'at least 1'),
        (dict(interval=2.5), 'int'),
    ],
)
def test_bad_settings_are_named(setting, rule):
    ((name, value),) = setting.items()
    with pytest.raises(ConfigError, match=f'{name} .*{value!r}; .*{rule}'):
        HOOKS.build(dict(type='WeightSignHook', **setting))
