"""Several learning rates in one pass: each head becomes what a run of its rate alone makes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from contracts.small import CLASSIFIER, changed
from contracts.small import build as build_model
from engine.runs import Watch, config, run
from torch.nn import functional as F

import binssl
from binssl.engine import ParameterGroups
from binssl.evaluation.accuracy import Accuracy
from binssl.registry import HEADS, ConfigError

FROZEN = changed(CLASSIFIER, frozen=('backbone', 'neck'))
RATES = [0.3, 0.01, 3.0]
SEVERAL = changed(FROZEN, head__type='LinearRates', head__rates=RATES)
VALIDATED = dict(
    val_dataloader=dict(
        batch_size=256,
        num_workers=0,
        sampler=dict(type='EpochSampler', shuffle=False),
        collate_fn=dict(type='whole_batch'),
        dataset=dict(type='Digits', split='held_out'),
    ),
    val_cfg=dict(),
    val_evaluator=[dict(type='Accuracy', topk=(1, 5))],
)


def trained(folder: Path, model: dict, optimizer: dict):
    """A run of two epochs with a schedule, and the last validation's numbers."""
    seen = {}

    class Keep(Watch):
        def after_val_epoch(self, runner, metrics=None):
            seen.update(metrics)

    settings = dict(views=1, epochs=2, optim_wrapper=dict(type='OptimWrapper', optimizer=optimizer), **VALIDATED)
    return run(config(folder, model, **settings), Keep()), seen


@pytest.mark.parametrize(
    'optimizer',
    [
        dict(type='SGD', lr=1.0, momentum=0.9, weight_decay=1e-3),
        dict(type='LARS', lr=1.0, weight_decay=0, always_adapt=True),
    ],
    ids=lambda optimizer: optimizer['type'],
)
def test_heads_are_those_of_single_runs_to_the_bit(optimizer, tmp_path):
    many, numbers = trained(tmp_path / 'many', SEVERAL, optimizer)
    best = -1.0
    for place, rate in enumerate(RATES):
        alone, own = trained(tmp_path / str(place), FROZEN, dict(optimizer, lr=rate))
        for name, weight in alone.model.head.state_dict().items():
            assert torch.equal(many.model.head.heads[place].state_dict()[name], weight), (rate, name)
        assert numbers[f'top1_lr{rate:g}'] == own['top1']
        assert numbers[f'top5_lr{rate:g}'] == own['top5']
        best = max(best, own['top1'])
    assert numbers['top1'] == best == numbers[f'top1_lr{numbers["best_lr"]:g}']
    assert binssl.load_model(Path(many.work_dir) / 'latest.pth').head.learning_rates == tuple(RATES)


def test_losses_are_added_and_logged_by_rate():
    torch.manual_seed(0)
    head = HEADS.build(dict(type='LinearRates', rates=[1.0, 0.5], num_classes=3, in_channels=4))
    with torch.no_grad():
        head.heads[1].fc.weight.add_(torch.randn(3, 4))
    features, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 2])
    given = head.loss(head(features), labels)
    each = [F.cross_entropy(one.fc(features), labels).item() for one in head.heads]
    right = [100 * (one.fc(features).argmax(1) == labels).float().mean().item() for one in head.heads]
    assert given['loss'].item() == pytest.approx(sum(each), rel=1e-6)
    assert [given['loss_lr1'].item(), given['loss_lr0.5'].item()] == pytest.approx(each, rel=1e-6)
    assert [given['top1_lr1'].item(), given['top1_lr0.5'].item()] == pytest.approx(right)
    assert given['top1'].item() == pytest.approx(max(right))


def test_best_rate_is_the_lowest_of_equals():
    metric = Accuracy()
    scores = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]] * 4)  # the first rate answers 0, the others 1
    rates = torch.tensor([[0.01, 30.0, 0.1]], dtype=torch.float64).expand(4, -1)
    labels = torch.ones(4, dtype=torch.int64)
    metric.process({}, [dict(scores=scores, labels=labels, indices=torch.arange(4), learning_rates=rates)])
    assert metric.evaluate(4) == {
        'top1': 100.0,
        'best_lr': 0.1,
        'top1_lr0.01': 0.0,
        'top1_lr0.1': 100.0,
        'top1_lr30': 100.0,
    }


@pytest.mark.parametrize('rates', [[], [0.1, 0.1], [0.0], [-1.0], 0.1, ['fast'], [float('inf')]])
def test_rates_that_are_none_are_refused(rates):
    with pytest.raises(ConfigError, match=r'LinearRates'):
        HEADS.build(dict(type='LinearRates', rates=rates, num_classes=3, in_channels=4))


def test_trunk_that_learns_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r'share what learns \(neck'):
        ParameterGroups(dict(optimizer=dict(type='SGD', lr=0.1)))(
            build_model(changed(SEVERAL, frozen=('backbone',)), tmp_path)
        )


def test_one_norm_for_all_gradients_is_refused(tmp_path):
    wrapper = dict(optimizer=dict(type='SGD', lr=0.1), clip_grad=dict(max_norm=1.0))
    with pytest.raises(ConfigError, match='clip_grad'):
        ParameterGroups(wrapper)(build_model(SEVERAL, tmp_path))
