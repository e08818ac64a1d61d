"""A run of ReCU logs the rate, with its warm-up, and the tau that the published programs compute, at every epoch."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from engine.runs import build, classifier

from binssl.engine.config import load_config

RECU = Path(__file__).parents[2] / 'configs/_base_/schedules/recu.py'
EPOCHS, RATE, TAU_MIN, TAU_MAX = 12, 0.1, 0.85, 0.99
CONV = dict(
    type='BinaryConv2d',
    activation=dict(type='UnitVarianceSign'),
    weight=dict(type='RectifiedSign', tau=0.85),
    scale=dict(type='ChannelScale'),
)
PLAN = dict(type='ResNet', widths=[4, 16], depths=[1, 1], stem='small', conv_cfg=CONV)


def published_rate(epoch: int) -> float:
    """As in its main.py: five epochs of warm-up, then a cosine that is stepped from there."""
    if epoch < 5:
        return RATE * (epoch + 1) / 5
    return RATE / 2 * (1 + math.cos(math.pi * (epoch - 4) / (EPOCHS - 4)))


def published_tau(epoch: int) -> float:
    scale = (TAU_MAX - TAU_MIN) / (math.e - 1)
    return scale * math.exp(epoch / EPOCHS) + TAU_MIN - scale


def test_logged_rate_and_tau_are_the_published_ones_at_every_epoch(tmp_path: Path) -> None:
    runner = build(
        classifier(
            tmp_path,
            epochs=EPOCHS,
            batch=512,
            schedules=load_config(RECU).schedules.to_dict(),
            model__backbone=PLAN,
            optim_wrapper__optimizer=dict(type='SGD', lr=RATE, momentum=0.9),
            default_hooks__progress=dict(type='ProgressHook', interval=1),
        )
    )
    runner.train()
    (file,) = tmp_path.glob('run/*/vis_data/scalars.json')
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    length = runner.train_loop.epoch_length
    assert [row['step'] for row in rows] == list(range(1, EPOCHS * length + 1))
    for row in rows:
        epoch = (row['step'] - 1) // length
        assert row['lr'] == pytest.approx(published_rate(epoch), rel=1e-12)
        assert row['tau'] == pytest.approx(published_tau(epoch), rel=1e-12)
    taus = [part.tau.item() for part in runner.model.backbone.modules() if hasattr(part, 'tau')]
    assert taus == pytest.approx([published_tau(EPOCHS - 1)] * 2, rel=1e-12)
