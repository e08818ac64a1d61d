"""Inputs of binary convolutions whose bits are counted by hand."""

from __future__ import annotations

import pytest
import torch
from hooks.stand_in import StandIn
from torch import Tensor, nn

from binssl.binary import Binarizer, BinaryConv2d
from binssl.hooks import ActivationSignHook
from binssl.registry import ConfigError

APPROX, IDENTITY = dict(type='ApproxSign'), dict(type='IdentitySign')
#: 10 numbers: 3 beyond one, 6 that become +1 (both zeros do)
TEN = [-2.0, -1.0, -0.5, -0.1, -0.0, 0.0, 0.5, 1.0, 1.5, 3.0]


class Layers(nn.Module):
    """Convolutions of one channel side by side, each with an input of its own."""

    def __init__(self, *activations: dict | None) -> None:
        super().__init__()
        self.convs = nn.ModuleList([BinaryConv2d(1, 1, 1, activation=activation) for activation in activations])

    def forward(self, *rows: list[float]) -> None:
        """``rows``: an image a number, for each layer."""
        for conv, row in zip(self.convs, rows, strict=True):
            conv(torch.tensor(row).view(-1, 1, 1, 1))


def seen(model: Layers, *inputs: tuple[list[float], ...], **settings: object) -> tuple[ActivationSignHook, StandIn]:
    """The hook after iterations with ``inputs``."""
    hook, runner = ActivationSignHook(**{'interval': 1, **settings}), StandIn(model)
    hook.before_train(runner)
    for rows in inputs:
        runner.iterate(hook, lambda rows=rows: model(*rows))
    return hook, runner


def test_bits_and_saturated_inputs_are_counted():
    hook, _ = seen(Layers(APPROX), (TEN,))
    assert hook.values == pytest.approx(dict(positive_bits=0.6, positive_bits_worst=0.6, saturated_activations=0.3))


def test_layers_count_alike_and_the_farthest_from_even_is_the_worst():
    hook, _ = seen(Layers(APPROX, APPROX, APPROX), (TEN, [-2.0] * 4 + [1.0], [2.0, -0.5]))
    assert hook.values == pytest.approx(
        dict(positive_bits=(0.6 + 0.2 + 0.5) / 3, positive_bits_worst=0.2, saturated_activations=(0.3 + 0.8 + 0.5) / 3)
    )


def test_sign_without_a_window_saturates_nowhere():
    hook, _ = seen(Layers(IDENTITY, APPROX), (TEN, [0.5, 2.0]))
    assert hook.values['saturated_activations'] == 0.5
    hook, _ = seen(Layers(IDENTITY), (TEN,))
    assert hook.values == pytest.approx(dict(positive_bits=0.6, positive_bits_worst=0.6))


def test_views_that_come_one_after_the_other_are_averaged():
    model = Layers(APPROX)
    hook, runner = ActivationSignHook(interval=1), StandIn(model)
    hook.before_train(runner)
    runner.iterate(hook, lambda: (model([1.0, 1.0]), model([-1.0, 1.0])))
    assert hook.values['positive_bits'] == 0.75


def test_first_images_are_looked_at():
    hook, _ = seen(Layers(APPROX), ([1.0, -1.0, -1.0, -1.0],), images=2)
    assert hook.values['positive_bits'] == 0.5


def test_layers_are_hooked_in_the_iterations_that_are_looked_at_only():
    model = Layers(APPROX)
    hook, runner = ActivationSignHook(interval=3), StandIn(model)
    hook.before_train(runner)
    hooked = []
    runner.iterate(hook, lambda: hooked.append(len(model.convs[0]._forward_pre_hooks)), times=6)
    assert hooked == [0, 0, 1, 0, 0, 1]
    assert not model.convs[0]._forward_pre_hooks
    assert hook.values == {}  # nothing went through


def test_real_inputs_and_frozen_layers_are_not_watched():
    model = Layers(APPROX, None, APPROX)
    model.convs[2].requires_grad_(False)
    hook, _ = seen(model, ([1.0, -1.0], [1.0, 1.0], [1.0, 1.0]))
    assert hook.values == dict(positive_bits=0.5, positive_bits_worst=0.5, saturated_activations=0)
    hook, runner = seen(Layers(None), ([1.0],))
    assert (hook.values, runner.warnings, runner.information) == ({}, [], [])


def test_bits_are_those_of_the_prepared_input():
    class AboveOne(Binarizer):
        def prepare(self, x: Tensor) -> Tensor:
            return x - 1

    model = Layers(APPROX)
    model.convs[0].activation = AboveOne('clip')
    hook, _ = seen(model, ([0.5, 0.5, 2.0, 2.5, -0.5],))
    assert hook.values == pytest.approx(dict(positive_bits=0.4, positive_bits_worst=0.4, saturated_activations=0.4))


def test_learned_levels_move_the_bits_and_the_window():
    model = Layers(dict(type='AdaptiveActivationSign'))
    with torch.no_grad():
        model.convs[0].activation.beta.fill_(1)
        model.convs[0].activation.alpha.fill_(2)
    hook, _ = seen(model, ([-1.5, 0.5, 0.5, 2.0, 3.5],))
    assert hook.values == pytest.approx(dict(positive_bits=0.4, positive_bits_worst=0.4, saturated_activations=0.4))


@pytest.mark.parametrize(('training', 'saturated'), [(True, 2 / 4), (False, 1)])
def test_recu_saturates_by_the_deviation_of_the_sample(training, saturated):
    model = nn.Module()
    model.conv = BinaryConv2d(4, 1, 1, activation=dict(type='UnitVarianceSign')).train(training)
    hook, runner = ActivationSignHook(interval=1), StandIn(model)
    hook.before_train(runner)
    image = torch.tensor([-30.0, -10, 10, 30]).view(1, 4, 1, 1)  # deviation 25.8
    runner.iterate(hook, lambda: model.conv(image))
    assert hook.values == dict(positive_bits=0.5, positive_bits_worst=0.5, saturated_activations=saturated)


def test_real_functions_in_a_signs_place_are_not_watched():
    hook, runner = seen(Layers(dict(type='Clip'), dict(type='ReLU')), (TEN, TEN))
    assert (hook.values, runner.warnings) == ({}, [])


def test_compiled_backbone_is_left_alone_and_that_is_said():
    model = Layers(APPROX)
    hook, runner = ActivationSignHook(interval=1), StandIn(model, compile=True)
    hook.before_train(runner)
    runner.iterate(hook, lambda: model(TEN))
    assert hook.values == {}
    assert runner.information == ['ActivationSignHook: the backbone is compiled, its activations are not watched']


# words


def test_one_bit_is_warned_of_once_until_it_is_well():
    _, runner = seen(Layers(APPROX, APPROX), *[(TEN, rows) for rows in ([-1.0], [-1.0], TEN, [0.5])])
    assert len(runner.warnings) == 2
    assert 'the input bits of convs.1 are nearly all -1 (0.00% are +1)' in runner.warnings[0]
    assert 'the input bits of convs.1 are nearly all +1 (100.00% are +1)' in runner.warnings[1]
    assert 'learnable shift or BatchNorm' in runner.warnings[0]


def test_saturated_inputs_are_warned_of_once_until_they_are_well():
    far, near = [-2.0, 2.0], [-0.5, 2.0]
    _, runner = seen(Layers(APPROX), *[(rows,) for rows in (far, far, near, far)])
    assert len(runner.warnings) == 2
    assert '100% of the inputs of binary convolutions lie outside [-1, 1] (above 90%)' in runner.warnings[0]


@pytest.mark.parametrize(
    ('setting', 'rule'),
    [
        (dict(most_saturated=90), 'a share'),
        (dict(least_minority=-0.1), 'a share'),
        (dict(images=0), 'at least 1'),
        (dict(interval=0), 'at least 1'),
    ],
)
def test_bad_settings_are_named(setting, rule):
    ((name, value),) = setting.items()
    with pytest.raises(ConfigError, match=f'{name} .*{value!r}; .*{rule}'):
        ActivationSignHook(**setting)
