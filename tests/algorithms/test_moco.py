"""MoCo against the published steps, and what its queue holds after one."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from contracts.small import DISTILLATION, MOCO, SWAV, batch, build, changed
from reference.fill import reference_images, reference_state_dict

from binssl.algorithms import MoCo
from binssl.registry import ALGORITHMS, ConfigError

REFERENCE = Path(__file__).parents[1] / 'reference'
TOY = dict(
    type='MoCo',
    backbone=dict(type='Pixels'),
    neck=dict(type='PoolMLP', in_channels=12, pool='flatten'),
    head=dict(type='ContrastiveHead', projector=dict(type='MLP', in_channels=12, widths=[12, 16], norm=None)),
    teacher=dict(type='MomentumTeacher', momentum=0.9),
    queue_length=32,
)


def published_toy() -> MoCo:
    model = ALGORITHMS.build(TOY).double()
    published = {key: torch.from_numpy(value) for key, value in reference_state_dict('moco_toy').items()}
    projector = {
        f'linear{ours}.{leaf}': published[f'encoder_q.fc.{theirs}.{leaf}']
        for ours, theirs in ((0, 0), (1, 2))
        for leaf in ('weight', 'bias')
    }
    state = {f'{part}head.projector.{key}': value for key, value in projector.items() for part in ('', 'teacher.')}
    queue = {'queue.keys': published['queue'].t(), 'queue.pointer': published['queue_ptr'][0]}
    model.load_state_dict(state | queue)
    return model


def test_five_steps_equal_the_published_ones():
    wanted = np.load(REFERENCE / 'moco_toy.npz')
    model = published_toy()
    optimizer = torch.optim.SGD([weight for weight in model.parameters() if weight.requires_grad], lr=0.5)
    for step in range(5):
        query_view, key_view = (
            torch.from_numpy(reference_images((8, 3, 2, 2), start + step)).double() for start in (100, 200)
        )
        with torch.no_grad():
            query = model.head.embed(model.extract(query_view))
            key = model.teacher.head.embed(model.teacher.extract(key_view))
            positive = (query * key).sum(dim=1, keepdim=True)
            logits = torch.cat([positive, query @ model.queue.keys.T], dim=1) / 0.2
        np.testing.assert_allclose(logits.numpy(), wanted[f'logits{step}'], rtol=1e-8, atol=1e-10)
        loss = model([query_view, key_view], mode='loss')['loss']
        assert loss.item() == pytest.approx(wanted[f'loss{step}'].item(), rel=1e-8)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        # the published code updates at the start of the next step, with the same weights
        model.teacher.update()
    np.testing.assert_allclose(model.queue.keys.numpy(), wanted['queue'].T, rtol=1e-8, atol=1e-10)
    assert model.queue.pointer.item() == wanted['ptr'].item()


def test_a_step_writes_the_keys_of_its_batch_in_place(tmp_path):
    model = build(MOCO, tmp_path).train()
    data = model.data_preprocessor(batch(2))
    storage, before = model.queue.keys.data_ptr(), model.queue.keys.clone()
    wanted = copy.deepcopy(model.teacher).embed(data['images'][1])
    model(**data, mode='loss')['loss'].backward()
    assert model.queue.keys.data_ptr() == storage
    assert torch.equal(model.queue.keys, torch.cat([wanted, before[8:]]))
    assert {'queue.keys', 'queue.pointer'} <= set(model.state_dict())


def test_shuffled_batch_norm_changes_nothing_with_one_process(tmp_path):
    models = [build(changed(MOCO, shuffle_bn=shuffled), tmp_path).train() for shuffled in (True, False)]
    losses = [model(**model.data_preprocessor(batch(2)), mode='loss')['loss'] for model in models]
    assert torch.equal(*losses)


@pytest.mark.parametrize(
    ('length', 'message'),
    [
        (30, 'queue_length 30 must be a multiple of the global batch 8 .8 x 1 process.*change either in the config'),
        (4, 'queue_length 4 must be a multiple of the global batch 8'),
    ],
)
def test_queue_that_the_batch_does_not_divide_is_an_error(length, message, tmp_path):
    model = build(changed(MOCO, queue_length=length), tmp_path).train()
    before = model.queue.keys.clone()
    with pytest.raises(ConfigError, match=message):
        model(**model.data_preprocessor(batch(2)), mode='loss')
    assert torch.equal(model.queue.keys, before)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(teacher__momentum=1.1), r'momentum 1.1 of MomentumTeacher must lie in \[0, 1\]'),
        (dict(teacher__momentum=-0.1), 'momentum -0.1'),
        (dict(head__temperature=0.0), 'temperature 0.0'),
        (dict(queue_length=0), 'queue_length 0 must be at least 1'),
        (dict(head__projector__in_channels=13), 'the head takes 13 channels, the neck gives 12'),
        (dict(neck__in_channels=8), 'the neck takes 8 channels, the backbone gives 16'),
        (dict(head=SWAV['head']), 'MoCo needs a head that offers .*contrast.*; PrototypeHead does not'),
        (dict(head=DISTILLATION['head']), 'MoCo needs a head that offers .*temperature.*; DistillationHead does not'),
    ],
)
def test_bad_settings_are_named(changes, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        build(changed(MOCO, **changes), tmp_path)
