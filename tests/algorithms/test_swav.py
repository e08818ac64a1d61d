"""SwAV's loss and gradients against the published steps, written out; its queue, its crops, its limits."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from algorithms.plain_network import State, check_gradients, mlp, spread, state_of, unit
from contracts.small import SWAV, batch, build, changed, sizes
from heads.plain_sinkhorn import sinkhorn_by_loop

from binssl.algorithms import SwAV
from binssl.registry import ALGORITHMS, ConfigError

EPSILON, TEMPERATURE = 0.2, 0.1
# the neck's BatchNorm sees one size at a time, the projector's all crops
TOY = dict(
    type='SwAV',
    backbone=dict(type='Pixels'),
    neck=dict(type='PoolMLP', in_channels=3, widths=[6], last_norm=True, last_activation=True),
    head=dict(
        type='PrototypeHead',
        projector=dict(type='MLP', in_channels=6, widths=[8, 5]),
        prototypes=4,
        epsilon=EPSILON,
        temperature=TEMPERATURE,
    ),
    global_crops=2,
    local_crops=2,
)


def crops(large: int, small: int, seed: int = 1) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(6, 3, width, width, generator=draw, dtype=torch.float64) for width in [4] * large + [3] * small]


def build_toy(folder: Path, **changes: object) -> SwAV:
    model = build(changed(TOY, **changes), folder).train()
    model.head.normalize_prototypes()  # they were normalised as float32
    return model


def plain_rows(state: State, views: list[torch.Tensor]) -> np.ndarray:
    """Unit rows of all crops, one crop after the other: (crops N, P)."""
    features = []
    for _, group in itertools.groupby(views, key=lambda view: view.shape[-1]):
        pooled = np.concatenate([view.numpy().mean(axis=(2, 3)) for view in group])
        features.append(np.maximum(mlp(state, 'neck.mlp', pooled), 0))
    return unit(mlp(state, 'head.projector', np.concatenate(features)))


def plain_loss(state: State, views: list[torch.Tensor], codes: list[np.ndarray]) -> float:
    scores = np.split(plain_rows(state, views) @ state['head.prototypes.weight'].T, len(views))
    loss = 0.0
    for place, code in enumerate(codes):
        for crop in np.delete(np.arange(len(views)), place):
            exponentials = np.exp(scores[crop] / TEMPERATURE)
            log_probabilities = np.log(exponentials / exponentials.sum(axis=1, keepdims=True))
            loss -= (code * log_probabilities).sum(axis=1).mean() / (len(views) - 1) / len(codes)
    return loss


@pytest.mark.parametrize(('large', 'small'), [(2, 0), (2, 1), (2, 2), (1, 3), (3, 0)])
def test_loss_and_gradients_are_the_published_ones(large, small, tmp_path):
    model = build_toy(tmp_path, global_crops=large, local_crops=small)
    views, state = crops(large, small), state_of(model)
    rows = plain_rows(state, views)
    scores = np.split(rows @ state['head.prototypes.weight'].T, len(views))
    codes = [sinkhorn_by_loop(score, EPSILON, 3) for score in scores[:large]]  # no gradient goes through them
    losses = model(views, mode='loss')
    assert losses['loss'].item() == pytest.approx(plain_loss(state, views, codes), rel=1e-10)
    assert losses['feature_std'].item() == pytest.approx(spread(rows[:6]), rel=1e-9)
    losses['loss'].backward()
    check_gradients(model, lambda changed_state: plain_loss(changed_state, views, codes))


def test_queue_joins_the_transport_as_it_was_before_the_step(tmp_path):
    model = build_toy(tmp_path, queue_length=12)
    assert model.use_queue
    views, state = crops(2, 2), state_of(model)
    scores = np.split(plain_rows(state, views) @ state['head.prototypes.weight'].T, 4)
    queued = [state[f'queue.{place}.keys'] @ state['head.prototypes.weight'].T for place in range(2)]
    codes = [sinkhorn_by_loop(np.concatenate([queued[place], scores[place]]), EPSILON, 3)[-6:] for place in range(2)]
    alone = [sinkhorn_by_loop(scores[place], EPSILON, 3) for place in range(2)]
    loss = model(views, mode='loss')['loss']
    assert loss.item() == pytest.approx(plain_loss(state, views, codes), rel=1e-10)
    assert abs(loss.item() - plain_loss(state, views, alone)) > 1e-3
    loss.backward()
    check_gradients(model, lambda changed_state: plain_loss(changed_state, views, codes))


def test_queue_keeps_the_newest_rows_of_each_global_crop_in_order(tmp_path):
    model = build_toy(tmp_path, queue_length=12)
    model.use_queue = False
    given = []
    for seed in range(3):
        views = crops(2, 2, seed)
        given.append(np.split(plain_rows(state_of(model), views), 4))
        model(views, mode='loss')
    for place in range(2):
        wanted = np.concatenate([given[2][place], given[1][place]])  # the third step wrote over the first
        np.testing.assert_allclose(model.queue[place].keys.numpy(), wanted, rtol=1e-9, atol=1e-12)
        assert model.queue[place].pointer.item() == 6


def test_a_queue_that_is_not_used_yet_fills_and_changes_nothing(tmp_path):
    without = build_toy(tmp_path)
    model = ALGORITHMS.build(changed(TOY, queue_length=12)).double().train()
    assert not model.use_queue  # rows at random are no earlier crops: a hook has to say when
    model.load_state_dict({**model.state_dict(), **without.state_dict()})
    assert torch.equal(model(crops(2, 2), mode='loss')['loss'], without(crops(2, 2), mode='loss')['loss'])


def test_prototypes_are_on_the_sphere_in_every_loss(tmp_path):
    model = build_toy(tmp_path)
    wanted = model(crops(2, 2), mode='loss')['loss']
    with torch.no_grad():
        model.head.prototypes.weight.mul_(5)
    assert model(crops(2, 2), mode='loss')['loss'].item() == pytest.approx(wanted.item(), rel=1e-12)


def test_queue_goes_through_a_checkpoint(tmp_path):
    config = changed(SWAV, queue_length=16)
    model, other = build(config, tmp_path).train(), build(config, tmp_path).train()
    model(**model.data_preprocessor(batch(sizes(model))), mode='loss')
    assert {'queue.0.keys', 'queue.1.keys', 'queue.0.pointer'} <= set(model.state_dict())
    other.load_state_dict(model.state_dict())
    again = batch(sizes(model), seed=1)
    assert torch.equal(*(part(**part.data_preprocessor(again), mode='loss')['loss'] for part in (model, other)))


@pytest.mark.parametrize('length', [30, 4])
def test_queue_that_the_batch_does_not_divide_is_an_error_and_is_left_alone(length, tmp_path):
    model = build(changed(SWAV, queue_length=length), tmp_path).train()
    before = model.queue[0].keys.clone()
    with pytest.raises(ConfigError, match=f'queue_length {length} must be a multiple of the global batch 8'):
        model(**model.data_preprocessor(batch(sizes(model))), mode='loss')
    assert torch.equal(model.queue[0].keys, before)


def test_local_crops_larger_than_global_ones_are_an_error(tmp_path):
    model = build_toy(tmp_path)
    with pytest.raises(ConfigError, match=r'sides of \[4, 3, 4, 3\] px, and the first 2 are to be the large ones'):
        model([crops(1, 1)[place % 2] for place in range(4)], mode='loss')


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(local_crops=-1), 'local_crops -1 of SwAV must not be negative'),
        (dict(global_crops=0), 'global_crops 0 of SwAV must be at least 1'),
        (dict(global_crops=1, local_crops=0), 'needs at least 2 crops.*; this is 1'),
        (dict(queue_length=-8), 'queue_length -8 of SwAV must not be negative'),
        (dict(head__prototypes=1), 'prototypes 1'),
        (dict(head__epsilon=0.0), 'epsilon 0.0'),
        (dict(head=dict(type='LinearHead', num_classes=2, in_channels=12)), 'SwAV needs a head that offers unit_rows'),
    ],
)
def test_bad_settings_are_named(changes, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        build(changed(SWAV, **changes), tmp_path)
