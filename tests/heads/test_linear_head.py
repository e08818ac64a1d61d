"""The linear classifier against a loop."""

from __future__ import annotations

import math

import pytest
import torch

from binssl.registry import HEADS, ConfigError


def build(**options):
    return HEADS.build(dict(dict(type='LinearHead', num_classes=3, in_channels=4), **options))


@pytest.mark.parametrize('smoothing', [0., 0.1])
def test_cross_entropy_with_smoothing_equals_the_loop(smoothing):
    torch.manual_seed(0)
    logits, labels = torch.randn(5, 3, dtype=torch.float64), torch.tensor([0, 2, 1, 1, 0])
    total = 0.
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        normaliser = math.log(sum(math.exp(value) for value in row))
        for c, value in enumerate(row):
            share = smoothing / 3 + (1 - smoothing) * (c == label)
            total += share * (normaliser - value) / 5
    given = build(label_smoothing=smoothing).loss(logits, labels)['loss']
    assert given.item() == pytest.approx(total, rel=1e-12)


def test_top1_is_in_percent():
    logits = torch.eye(3)[[0, 1, 2, 0]]
    assert build().loss(logits, torch.tensor([0, 1, 0, 0]))['top1'].item() == 75


def test_keys_and_initial_values():
    torch.manual_seed(0)
    head = build(num_classes=100, in_channels=200)
    assert set(head.state_dict()) == {'fc.weight', 'fc.bias'}
    assert head.fc.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert not head.fc.bias.any()


@pytest.mark.parametrize(('options', 'message'), [
    (dict(num_classes=1), 'num_classes 1 of LinearHead must be at least 2'),
    (dict(label_smoothing=1.), r'label_smoothing 1.0 of LinearHead must lie in \[0, 1\)'),
    (dict(label_smooting=0.1), "does not take 'label_smooting'"),
])
def test_bad_settings_are_named(options, message):
    with pytest.raises(ConfigError, match=message):
        build(**options)
