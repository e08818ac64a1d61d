"""The linear classifier against a loop."""

from __future__ import annotations

import math

import pytest
import torch

from binssl.registry import HEADS, ConfigError


def build(**options):
    return HEADS.build(dict(dict(type='LinearHead', num_classes=3, in_channels=4), **options))


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_cross_entropy_with_smoothing_equals_the_loop(smoothing):
    torch.manual_seed(0)
    logits, labels = torch.randn(5, 3, dtype=torch.float64), torch.tensor([0, 2, 1, 1, 0])
    total = 0.0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        normaliser = math.log(sum(math.exp(value) for value in row))
        for c, value in enumerate(row):
            share = smoothing / 3 + (1 - smoothing) * (c == label)
            total += share * (normaliser - value) / 5
    given = build(label_smoothing=smoothing).loss(logits, labels)['loss']
    assert given.item() == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize('smoothing', [0.0, 0.2])
def test_soft_targets_equal_the_loop(smoothing):
    torch.manual_seed(0)
    logits, targets = torch.randn(5, 3, dtype=torch.float64), torch.rand(5, 3).double().softmax(dim=1)
    total = 0.0
    for row, target in zip(logits.tolist(), targets.tolist(), strict=True):
        normaliser = math.log(sum(math.exp(value) for value in row))
        for value, share in zip(row, target, strict=True):
            total += (smoothing / 3 + (1 - smoothing) * share) * (normaliser - value) / 5
    assert build(label_smoothing=smoothing).loss(logits, targets)['loss'].item() == pytest.approx(total, rel=1e-12)


def test_a_label_is_a_soft_target_of_one():
    torch.manual_seed(0)
    logits, labels = torch.randn(6, 3, dtype=torch.float64), torch.tensor([0, 2, 1, 1, 0, 2])
    head = build(label_smoothing=0.1)
    hard, soft = head.loss(logits, labels), head.loss(logits, torch.eye(3)[labels])
    assert soft['loss'].item() == pytest.approx(hard['loss'].item(), rel=1e-12)
    assert torch.equal(soft['top1'], hard['top1'])


def test_distillation_is_the_cross_entropy_with_the_teachers_probabilities():
    torch.manual_seed(0)
    logits, answers = torch.randn(2, 4, 3, dtype=torch.float64)
    p, q = (rows.exp() / rows.exp().sum(dim=1, keepdim=True) for rows in (answers, logits))
    given = build(label_smoothing=0.1).distill(logits, answers)
    assert given['loss'].item() == pytest.approx(-(p * q.log()).sum().item() / 4, rel=1e-12)
    assert given['kl'].item() == pytest.approx((p * (p / q).log()).sum().item() / 4, rel=1e-12)


def test_loss_is_in_float32_at_least():
    logits = torch.randn(4, 3, dtype=torch.bfloat16)
    for targets in (torch.tensor([0, 1, 2, 0]), torch.eye(3, dtype=torch.float64)[[0, 1, 2, 0]]):
        assert build().loss(logits, targets)['loss'].dtype == torch.float32


def test_top1_is_in_percent():
    logits = torch.eye(3)[[0, 1, 2, 0]]
    assert build().loss(logits, torch.tensor([0, 1, 0, 0]))['top1'].item() == 75


@pytest.mark.parametrize('soft', [False, True])
def test_rates_count_the_first_and_the_first_five_places(soft):
    logits = torch.arange(8.0).expand(8, 8)  # row i: class 7 leads, then 6, 5, ...
    labels = torch.arange(8)
    targets = 0.4 * torch.eye(8)[labels] + 0.6 / 8 if soft else labels
    rates = build(num_classes=8).rates(logits, targets)
    assert {name: rate.item() for name, rate in rates.items()} == {'top1': 100 / 8, 'top5': 500 / 8}


@pytest.mark.parametrize(('classes', 'names'), [(4, {'top1'}), (5, {'top1', 'top5'})])
def test_top5_needs_five_classes(classes, names):
    assert set(build(num_classes=classes).rates(torch.randn(2, classes), torch.tensor([0, 1]))) == names


def test_keys_and_initial_values():
    torch.manual_seed(0)
    head = build(num_classes=100, in_channels=200)
    assert set(head.state_dict()) == {'fc.weight', 'fc.bias'}
    assert head.fc.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert not head.fc.bias.any()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(num_classes=1), 'num_classes 1 of LinearHead must be at least 2'),
        (dict(label_smoothing=1.0), r'label_smoothing 1.0 of LinearHead must lie in \[0, 1\)'),
        (dict(label_smooting=0.1), "does not take 'label_smooting'"),
    ],
)
def test_bad_settings_are_named(options, message):
    with pytest.raises(ConfigError, match=message):
        build(**options)


def test_norm_before_the_layer_standardises_by_the_batch_then_by_the_running_statistics():
    torch.manual_seed(0)
    head, plain = build(norm='BN').double(), build().double()
    plain.fc.load_state_dict(head.fc.state_dict())
    features = 5 + 3 * torch.randn(32, 4, dtype=torch.float64)
    mean, variance = features.mean(0), features.var(0, correction=0)
    torch.testing.assert_close(head(features), plain((features - mean) / (variance + 1e-5).sqrt()))
    head.eval()
    running = 0.1 * mean, 0.9 + 0.1 * features.var(0)
    torch.testing.assert_close(head(features), plain((features - running[0]) / (running[1] + 1e-5).sqrt()))
    assert [name for name, _ in head.named_parameters()] == ['fc.weight', 'fc.bias']


def test_other_norms_are_refused():
    with pytest.raises(ConfigError, match="norm 'LN' of LinearHead is unknown"):
        build(norm='LN')
