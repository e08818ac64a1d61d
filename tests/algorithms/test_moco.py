"""MoCo against the published steps, its queue by hand, its keys over two processes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from contracts.small import MOCO, batch, build, changed
from reference.fill import reference_images, reference_state_dict

from binssl.algorithms import MoCo
from binssl.heads.contrastive import contrastive_logits
from binssl.registry import ALGORITHMS, ConfigError

REFERENCE = Path(__file__).parents[1] / 'reference'
TOY = dict(
    type='MoCo', backbone=dict(type='Pixels'), neck=dict(type='PoolMLP', in_channels=12, pool='flatten'),
    head=dict(type='ContrastiveHead', projector=dict(type='MLP', in_channels=12, widths=[12, 16], norm=None)),
    teacher=dict(type='MomentumTeacher', momentum=0.9), queue_length=32)


def published_toy() -> MoCo:
    model = ALGORITHMS.build(TOY).double()
    published = {key: torch.from_numpy(value) for key, value in reference_state_dict('moco_toy').items()}
    projector = {f'linear{ours}.{leaf}': published[f'encoder_q.fc.{theirs}.{leaf}']
                 for ours, theirs in ((0, 0), (1, 2)) for leaf in ('weight', 'bias')}
    state = {f'{part}head.projector.{key}': value
             for key, value in projector.items() for part in ('', 'teacher.')}
    model.load_state_dict(dict(state, queue=published['queue'].t(), queue_pointer=published['queue_ptr'][0]))
    return model


def test_five_steps_equal_the_published_ones():
    wanted = np.load(REFERENCE / 'moco_toy.npz')
    model = published_toy()
    optimizer = torch.optim.SGD([weight for weight in model.parameters() if weight.requires_grad], lr=0.5)
    for step in range(5):
        query_view, key_view = (torch.from_numpy(reference_images((8, 3, 2, 2), start + step)).double()
                                for start in (100, 200))
        with torch.no_grad():
            query = model.head.embed(model.extract(query_view))
            key = model.teacher.head.embed(model.teacher.extract(key_view))
            logits = contrastive_logits(query, key, model.queue, 0.2)
        np.testing.assert_allclose(logits.numpy(), wanted[f'logits{step}'], rtol=1e-8, atol=1e-10)
        loss = model([query_view, key_view], mode='loss')['loss']
        assert loss.item() == pytest.approx(wanted[f'loss{step}'].item(), rel=1e-8)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        # the published code updates at the start of the next step, with the same weights
        model.teacher.update()
    np.testing.assert_allclose(model.queue.numpy(), wanted['queue'].T, rtol=1e-8, atol=1e-10)
    assert model.queue_pointer.item() == wanted['ptr'].item()


def test_keys_are_written_in_order_and_wrap_around(tmp_path):
    model = build(changed(MOCO, queue_length=6), tmp_path)
    model.queue.zero_()
    for start in (1, 5, 9):
        model.enqueue(torch.arange(start, start + 4.).view(4, 1).expand(4, 6))
    assert model.queue[:, 0].tolist() == [7, 8, 9, 10, 11, 12]
    assert model.queue_pointer.item() == 0


def test_queue_is_written_in_place_and_kept_in_checkpoints(tmp_path):
    model = build(MOCO, tmp_path).train()
    storage, before = model.queue.data_ptr(), model.queue.clone()
    model(**model.data_preprocessor(batch(2)), mode='loss')['loss'].backward()
    assert model.queue.data_ptr() == storage
    assert torch.equal(model.queue[8:], before[8:])
    assert not torch.isclose(model.queue[:8], before[:8]).all(dim=1).any()
    assert {'queue', 'queue_pointer'} <= set(model.state_dict())


def test_queue_starts_with_rows_of_unit_length(tmp_path):
    model = build(MOCO, tmp_path)
    assert model.queue.shape == (32, 6)
    torch.testing.assert_close(model.queue.norm(dim=1), torch.ones(32).double())


@pytest.mark.parametrize(('length', 'message'), [
    (30, 'queue_length 30 must be a multiple of the global batch 8; change either in the config'),
    (4, 'queue_length 4 must be a multiple of the global batch 8'),
])
def test_queue_that_the_batch_does_not_divide_is_an_error(length, message, tmp_path):
    model = build(changed(MOCO, queue_length=length), tmp_path).train()
    before = model.state_dict()['queue'].clone()
    with pytest.raises(ConfigError, match=message):
        model(**model.data_preprocessor(batch(2)), mode='loss')
    assert torch.equal(model.queue, before)


@pytest.mark.parametrize(('changes', 'message'), [
    (dict(teacher__momentum=1.1), r'momentum 1.1 of MomentumTeacher must lie in \[0, 1\]'),
    (dict(teacher__momentum=-0.1), 'momentum -0.1'),
    (dict(head__temperature=0.), 'temperature 0.0'),
    (dict(queue_length=0), 'queue_length 0 must be at least 1'),
    (dict(head__projector__in_channels=13), 'the head takes 13 channels, the neck gives 12'),
    (dict(neck__in_channels=8), 'the neck takes 8 channels, the backbone gives 16'),
])
def test_bad_settings_are_named(changes, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        build(changed(MOCO, **changes), tmp_path)
