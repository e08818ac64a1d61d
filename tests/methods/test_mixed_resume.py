"""Every method, stopped in the middle of an epoch and resumed on any backbone and precision, ends bit for bit alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from engine.runs import AUGMENT, config, everything
from methods.mixed import IMAGES, METHODS, ROWS, model_config, views
from methods.stopped import assert_a_stop_changes_nothing
from mmengine.config import Config

from binssl.datasets import digits
from binssl.registry import ALGORITHMS

BATCHES = 3
#: buffers and copies beside the student, all of which have to come back
FOLLOWING = {
    'MoCo': {'teacher', 'queue'},
    'S2BNN, contrastive and distillation': {'momentum_teacher', 'queue'},
    'BYOL': {'teacher'},
    'SwAV': {'queue'},
}
QUICK = {(method, 'ReActNet-A', 'binary') for method in METHODS}
MARKED = [row if row in QUICK else pytest.param(*row, marks=pytest.mark.slow) for row in ROWS]


def schedules(model: dict[str, Any], following: set[str]) -> dict[str, Any]:
    """The rate, and what else a method of its kind moves."""
    rows = dict(lr=dict(target='lr', end=0.0))
    for teacher in following & {'teacher', 'momentum_teacher'}:
        rows['momentum'] = dict(target=f'{teacher}.momentum', start=0.9, end=1.0)
    if model['type'] == 'BURN':
        rows['kl'] = dict(target='head.kl_weight', start=0.1, end=0.3)
    return rows


@pytest.mark.parametrize(('method', 'plan', 'precision'), MARKED)
def test_stop_in_the_middle_of_an_epoch_changes_nothing(
    method: str, plan: str, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(digits.SPLITS, 'few', (0, BATCHES * IMAGES))
    model, following = model_config(method, plan, precision, tmp_path), FOLLOWING.get(method, set())
    sides = views(model, ALGORITHMS.build(model).views)
    # within six steps: prototypes that are frozen and free, a queue that fills and is used
    first_steps = [dict(type='PrototypeHook', frozen_iterations=2, queue_start_epoch=1)]

    data = dict(type='Digits', split='few', views=[dict(AUGMENT, size=size) for size in sides])

    def make(work_dir: str, resume: str | None, checkpoint: dict) -> Config:
        return config(
            tmp_path,
            model,
            batch=IMAGES,
            work_dir=str(tmp_path / work_dir),
            resume=resume,
            schedules=schedules(model, following),
            custom_hooks=first_steps if model['type'] == 'SwAV' else [],
            train_dataloader__dataset=data,
            default_hooks__checkpoint=checkpoint,
        )

    whole = assert_a_stop_changes_nothing(make)
    assert whole.iter == 2 * BATCHES
    after = everything(whole)
    assert {name.split('.')[0] for name in after} == {'optimizer'} | METHODS[method][1] | following
    torch.manual_seed(0)
    before = ALGORITHMS.build(model).state_dict()
    moved = {name.split('.')[0] for name, value in before.items() if not torch.equal(value, after[name])}
    assert moved == {name.split('.')[0] for name in before}, 'every part had to change for this to be a test'
