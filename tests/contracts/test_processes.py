"""Two processes with half a batch each against one with the whole of it, every BatchNorm over both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from contracts.small import (
    BARLOW_TWINS,
    BURN,
    BYOL,
    DISTILLATION,
    MOCO,
    S2BNN,
    SIMSIAM,
    SWAV,
    batch,
    build,
    changed,
    sizes,
)
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from two_processes import in_two_processes

from binssl.algorithms.key_queue import encode_keys
from binssl.engine import synchronise_batch_norm

ROWS = {
    'MoCo': changed(MOCO, shuffle_bn=False),
    'MoCo, shuffled': MOCO,
    'S2BNN, distillation only': DISTILLATION,
    'S2BNN, contrastive and distillation': changed(S2BNN, shuffle_bn=False),
    'S2BNN, shuffled': S2BNN,
    'BURN': BURN,
    'BYOL': BYOL,
    'SimSiam': SIMSIAM,
    'BarlowTwins': BARLOW_TWINS,
    'SwAV': SWAV,
    'SwAV with a queue': changed(SWAV, queue_length=16),
}
LEARNING = ('BYOL', 'SimSiam', 'BarlowTwins', 'SwAV', 'SwAV with a queue')  # rows that also take a few steps
#: rows whose loss is made of sums over the processes: each of them has that of the joined batch
JOINED = ('BarlowTwins',)
#: entries of the log that are over all processes' images
OVER_ALL_PROCESSES = (
    'kl',
    'teacher_entropy',
    'student_entropy',
    'feature_distance',
    'information',
    'feature_std',
    'on_diagonal',
    'off_diagonal',
)


def answer(config: dict, folder: Path, images: slice) -> dict[str, Any]:
    """Losses, gradients and buffers of one training step on a share of the batch."""
    model = build(config, folder).train()
    synchronise_batch_norm(model, True, on_gpu=False)
    views = model.data_preprocessor(batch(sizes(model)))['images']
    losses = model([view[images] for view in views], mode='loss')
    losses['loss'].backward()
    gradients = {name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad}
    log = {name: value.detach() for name, value in losses.items()}
    return dict(losses=log, gradients=gradients, buffers=dict(model.named_buffers()))


def train(config: dict, folder: Path, images: slice, processes: int) -> dict[str, Any]:
    """Three steps of SGD: losses, the log's spread, the state at the end."""
    model = build(config, folder).train()
    synchronise_batch_norm(model, True, on_gpu=False)
    called = DistributedDataParallel(model, broadcast_buffers=False) if processes > 1 else model
    optimizer = torch.optim.SGD([weight for weight in model.parameters() if weight.requires_grad], lr=0.05)
    losses, spreads = [], []
    for step in range(3):
        views = model.data_preprocessor(batch(sizes(model), seed=step))['images']
        terms = called([view[images] for view in views], mode='loss')
        optimizer.zero_grad()
        terms['loss'].backward()
        optimizer.step()
        if hasattr(model, 'teacher'):
            model.teacher.update()
        losses.append(terms['loss'].detach())
        spreads.append(terms['feature_std'])
    return dict(losses=torch.stack(losses), spreads=torch.stack(spreads), state=model.state_dict())


def mix(rank: int) -> dict[str, torch.Tensor]:
    """What each process's BatchNorm sees and gets back where an image is its number."""
    torch.manual_seed(rank)  # as in a run, where the processes draw differently
    numbers = torch.arange(rank * 4.0, rank * 4 + 4)
    images = numbers.view(4, 1, 1, 1).expand(4, 3, 2, 2).contiguous(memory_format=torch.channels_last)
    norm = nn.BatchNorm2d(3, momentum=1.0)
    seen: list[torch.Tensor] = []

    def encode(given: torch.Tensor) -> torch.Tensor:
        assert given.is_contiguous(memory_format=torch.channels_last)
        seen.append(given[:, 0, 0, 0])
        norm(given)
        return given.mean(dim=(2, 3))

    keys = encode_keys(encode, images, shuffled=True)
    statistics = norm.running_mean.clone()
    straight = encode_keys(encode, images, shuffled=False)
    return dict(
        numbers=numbers,
        seen=seen[0],
        straight=seen[1],
        own=keys.own,
        everyone=keys.everyone,
        unmixed=straight.everyone,
        statistics=statistics,
    )


def answer_all(rank: int, folder: Path) -> dict[str, Any]:
    own = folder / str(rank)
    own.mkdir()
    half = slice(rank * 4, rank * 4 + 4)
    answers = {name: answer(config, own, half) for name, config in ROWS.items()}
    learned = {name: train(ROWS[name], own, half, processes=2) for name in LEARNING}
    return dict(answers, learned=learned, mixed=mix(rank))


@pytest.fixture(scope='module')
def two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What both processes found."""
    folder = tmp_path_factory.mktemp('two_processes')
    return in_two_processes(answer_all, folder, folder)


@pytest.mark.process
def test_two_processes_answer_as_one(two, tmp_path):
    first, second = two
    close = {'rtol': 1e-10, 'atol': 1e-12}
    for name, config in ROWS.items():
        whole = answer(config, tmp_path, slice(8))
        for kind in ('losses', 'gradients'):
            means = {entry: (value + second[name][kind][entry]) / 2 for entry, value in first[name][kind].items()}
            torch.testing.assert_close(means, whole[kind], **close, msg=lambda text, name=name: f'{name}: {text}')
        alike = torch.equal(first[name]['losses']['loss'], second[name]['losses']['loss'])
        assert alike == (name in JOINED), f'{name}: the loss of the joined batch is for rows in JOINED'
        for entry in set(OVER_ALL_PROCESSES) & set(whole['losses']):
            if not name.startswith('S2BNN'):
                assert torch.equal(first[name]['losses'][entry], second[name]['losses'][entry])
        for key, value in whole['buffers'].items():
            assert torch.equal(first[name]['buffers'][key], second[name]['buffers'][key]), f'{name}: {key}'
            torch.testing.assert_close(first[name]['buffers'][key], value, **close)


@pytest.mark.process
@pytest.mark.parametrize('row', LEARNING)
def test_two_processes_learn_as_one_with_the_joined_batches(row, two, tmp_path):
    first, second = (answers['learned'][row] for answers in two)
    one = train(ROWS[row], tmp_path, slice(8), processes=1)
    close = {'rtol': 1e-6, 'atol': 1e-9}
    torch.testing.assert_close((first['losses'] + second['losses']) / 2, one['losses'], **close)
    assert ((first['losses'] - second['losses']).abs().max() > 1e-4) == (row not in JOINED)
    assert torch.equal(first['spreads'], second['spreads'])
    torch.testing.assert_close(first['spreads'], one['spreads'], **close)
    for key, value in one['state'].items():
        assert torch.equal(first['state'][key], second['state'][key]), key
        torch.testing.assert_close(first['state'][key], value, **close, msg=lambda text, key=key: f'{key}: {text}')


@pytest.mark.process
def test_shuffled_keys_come_back_in_order_and_a_batch_norm_sees_images_of_both_processes(two):
    first, second = (answers['mixed'] for answers in two)
    everyone = torch.arange(8.0).view(8, 1).expand(8, 3)
    for found in (first, second):
        assert torch.equal(found['everyone'], everyone)
        assert torch.equal(found['unmixed'], everyone)
        assert torch.equal(found['own'][:, 0], found['numbers'])
        assert torch.equal(found['straight'], found['numbers'])
        assert {bool(number < 4) for number in found['seen']} == {True, False}
        assert torch.equal(found['statistics'], found['seen'].mean().expand(3))
        assert found['statistics'][0] != found['numbers'].mean()
    assert sorted([*first['seen'].tolist(), *second['seen'].tolist()]) == list(range(8))
    torch.manual_seed(0)
    order = torch.randperm(8)  # the first process's; the second has drawn and forgotten one of its own
    assert torch.equal(torch.cat([first['seen'], second['seen']]).long(), order)
