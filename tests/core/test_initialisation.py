"""How weights start, against closed forms of the published rules."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from binssl.backbones import VGG, ReActNet, ResNet, TwoStreamResNet
from binssl.binary import BINARY_INPUT, BinaryConv2d
from binssl.core.initialisation import CONVOLUTIONS, LINEAR_LAYERS
from binssl.heads.burn import mean_entropy, mutual_information
from binssl.necks import MLP
from binssl.registry import BACKBONES, HEADS, ConfigError

#: plans of every backbone that has a choice; wide enough for a deviation, with strides, 1x1 and 7x7 convolutions
PLANS = {
    'ReActNet': dict(channels=[32, 64, 128], strides=[2, 1], stem_stride=1),
    'ResNet': dict(widths=[64, 96], depths=[1, 1], shortcut='conv'),
    'TwoStreamResNet': dict(widths=[48, 64], depths=[1, 1]),
    'VGG': dict(widths=[48, 96], depths=[1, 1]),
}
#: rules of which every convolution has one deviation
DEVIATIONS = {
    'kaiming': lambda fan_in, fan_out: math.sqrt(2 / fan_out),
    'kaiming_fan_in': lambda fan_in, fan_out: math.sqrt(2 / fan_in),
    'torch': lambda fan_in, fan_out: math.sqrt(1 / (3 * fan_in)),
}


def convolutions(network: nn.Module) -> Iterator[tuple[str, nn.Conv2d, int, int]]:
    """Every convolution with its fans, in numbers of weights."""
    for name, conv in network.named_modules():
        if isinstance(conv, nn.Conv2d):
            pixels = conv.kernel_size[0] * conv.kernel_size[1]
            yield name, conv, pixels * conv.in_channels, pixels * conv.out_channels


def assert_spread(weight: Tensor, deviation: float, name: str) -> None:
    """Zero mean and the deviation, both within five standard errors."""
    error = deviation / math.sqrt(weight.numel())
    assert weight.mean().item() == pytest.approx(0, abs=5 * error), name
    assert weight.std().item() == pytest.approx(deviation, abs=5 * error), name


@pytest.mark.parametrize('init', DEVIATIONS)
@pytest.mark.parametrize('plan', PLANS)
def test_every_convolution_has_the_deviation_of_its_rule(plan, init):
    torch.manual_seed(0)
    network = BACKBONES.build(dict(type=plan, init=init, **PLANS[plan]))
    found = list(convolutions(network))
    assert any(isinstance(conv, BinaryConv2d) for _, conv, *_ in found)
    for name, conv, fan_in, fan_out in found:
        assert_spread(conv.weight, DEVIATIONS[init](fan_in, fan_out), name)
        if init == 'torch':
            assert conv.weight.abs().max() <= fan_in**-0.5, name


@pytest.mark.parametrize('init', ['torch_positive', 'published_s2bnn'])
@pytest.mark.parametrize('plan', PLANS)
def test_binary_weights_of_bireal_from_scratch_start_above_zero_and_real_ones_by_torchs_default(plan, init):
    torch.manual_seed(0)
    for name, conv, fan_in, _ in convolutions(BACKBONES.build(dict(type=plan, init=init, **PLANS[plan]))):
        if getattr(conv, 'weight_binarizer', None) is not None:
            assert 0 <= conv.weight.min() < 0.00005 < 0.00095 < conv.weight.max() < 0.001, name
            assert_spread(conv.weight - 0.0005, 0.001 / math.sqrt(12), name)
        else:  # stem, shortcuts, and the first convolution of two streams
            assert_spread(conv.weight, DEVIATIONS['torch'](fan_in, 0), name)
    step1 = BACKBONES.build(dict(type=plan, init=init, conv_cfg=BINARY_INPUT, **PLANS[plan]))
    assert all(conv.weight.min() < 0 for _, conv, *_ in convolutions(step1)), 'no weight is binary there'


@pytest.mark.parametrize(
    ('network', 'deviation'),
    [
        (lambda: ResNet(depths=[1], widths=[64], stem_activation='Hardtanh', init='kaiming_fan_in'), 0.117),
        (lambda: ResNet(depths=[1], widths=[64], stem_activation='Hardtanh'), 0.025),
        (lambda: ReActNet([512, 512], [1], 1, init='kaiming_fan_in'), 0.272),
        (lambda: ReActNet([32, 32], [1], 1), 0.083),
        (lambda: VGG(), 0.0417),  # 3x3, 128: fan out, in ReCU's release too
        (lambda: TwoStreamResNet([64], [1], init='torch_positive'), 0.0476),
    ],
    ids=['ReCU, ImageNet', 'ours', "BURN's release", 'ours', "ReCU's VGG-small", 'Bi-Real-50'],
)
def test_stems_start_with_the_published_deviations(network, deviation):
    torch.manual_seed(0)
    assert network().stem.conv.weight.std().item() == pytest.approx(deviation, rel=0.06)


def test_the_default_is_the_rule_that_it_has_always_been():
    for plan, cfg in PLANS.items():
        states = []
        for choice in ({}, {'init': 'kaiming'}):
            torch.manual_seed(3)
            states.append(BACKBONES.build(dict(type=plan, **cfg, **choice)).state_dict())
        assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    torch.manual_seed(3)
    ours = HEADS.build(dict(type='LinearHead', num_classes=5, in_channels=4)).fc
    torch.manual_seed(3)
    plain = nn.Linear(4, 5)
    nn.init.normal_(plain.weight, std=0.01)
    assert torch.equal(ours.weight, plain.weight)
    assert not ours.bias.any()


@pytest.mark.parametrize(
    ('init', 'deviation', 'bias'),
    [('torch', 1 / math.sqrt(3), True), ('kaiming', math.sqrt(2), False), ('normal', None, False)],
)
def test_linear_layers_have_the_deviation_of_their_rule(init, deviation, bias):
    torch.manual_seed(0)
    mlp = MLP(300, [200, 100], init=init)
    head = HEADS.build(dict(type='LinearHead', num_classes=90, in_channels=200, init=init))
    for layer in (mlp.linear0, mlp.linear1, head.fc):
        wanted = 0.01 if deviation is None else deviation / math.sqrt(layer.in_features)
        assert_spread(layer.weight, wanted, init)
        assert bool(layer.bias.any()) == bias
    assert (mlp.norm0.weight == 1).all()
    MLP(4, [3, 2], bias=False, init=init)  # nothing to be zero


def test_heads_that_own_a_predictor_start_each_part_by_its_own_rule():
    torch.manual_seed(0)
    head = HEADS.build(
        dict(
            type='LatentPredictionHead',
            projector=dict(type='MLP', in_channels=128, widths=[256, 64], init='kaiming'),
            predictor=dict(type='MLP', in_channels=64, widths=[256, 64], init='normal'),
        )
    )
    assert_spread(head.projector.linear0.weight, math.sqrt(2 / 128), 'projector')
    assert_spread(head.predictor.linear1.weight, 0.01, 'predictor')


def entropy_of_gaussian_logits(deviation: float) -> float:
    """Mean entropy in nats of softmax(z / 0.2) over 2000 independent z of ``deviation``."""
    logits = np.random.default_rng(0).standard_normal((300, 2000)) * deviation / 0.2
    odds = np.exp(logits - logits.max(1, keepdims=True))
    shares = odds / odds.sum(1, keepdims=True)
    return float(-(shares * np.log(np.maximum(shares, 1e-300))).sum(1).mean())


@pytest.mark.parametrize(
    ('init', 'deviation', 'entropy', 'information'),
    # behind BatchNorm and ReLU a unit's mean square is 1/2, of 2000: 2/2000 x 2000/2 = 1, and 1/6000 x 2000/2 = 1/6
    [('kaiming', 1.0, 1.98, 3.92), ('torch', 6**-0.5, 5.60, 1.36)],
)
def test_burns_frozen_classifier_says_what_the_release_says_at_the_start(init, deviation, entropy, information):
    torch.manual_seed(0)
    with torch.no_grad():
        logits = MLP(2048, [2000, 2000], init=init).train()(torch.randn(512, 2048))
    assert logits.std().item() == pytest.approx(deviation, rel=0.02)
    # one draw of the weights is common to all images: it moves these by a tenth of a nat
    assert mean_entropy(logits, 0.2).item() == pytest.approx(entropy_of_gaussian_logits(deviation), abs=0.2)
    assert mean_entropy(logits, 0.2).item() == pytest.approx(entropy, abs=0.25)
    assert mutual_information(logits, 0.2).item() == pytest.approx(information, abs=0.3)


def test_another_rule_is_told_with_the_known_ones():
    for plan in PLANS:
        with pytest.raises(ConfigError, match=f"init 'xavier' is none of {', '.join(map(repr, CONVOLUTIONS))}"):
            BACKBONES.build(dict(type=plan, init='xavier'))
    for part in (
        lambda: MLP(3, [2], init='kaiming_fan_in'),
        lambda: HEADS.build(dict(type='LinearHead', num_classes=3, in_channels=2, init='kaiming_fan_in')),
    ):
        with pytest.raises(ConfigError, match=f"'kaiming_fan_in' is none of {', '.join(map(repr, LINEAR_LAYERS))}"):
            part()
