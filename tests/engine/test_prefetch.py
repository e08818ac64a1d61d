"""Batches that travel ahead: the same ones, in time, and no more than one of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from binssl.engine.prefetch import CudaLane, leaves, move, one_ahead, prefetch

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA GPU')


class Diary:
    """A lane that notes what is asked of it."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def load(self, count: int):
        for number in range(count):
            self.lines.append(f'load {number}')
            yield dict(number=number)

    def send(self, batch: dict) -> dict:
        self.lines.append(f'send {batch["number"]}')
        return dict(batch, sent=True)

    def receive(self, batch: dict) -> None:
        assert batch['sent']
        self.lines.append(f'receive {batch["number"]}')


def test_the_next_batch_is_sent_before_this_one_is_computed_and_received_after():
    diary = Diary()
    for batch in one_ahead(diary.load(3), diary):
        diary.lines.append(f'compute {batch["number"]}')
    assert diary.lines == [
        'load 0',
        'send 0',
        'receive 0',
        'load 1',
        'send 1',
        'compute 0',
        'receive 1',
        'load 2',
        'send 2',
        'compute 1',
        'receive 2',
        'compute 2',
    ]


@pytest.mark.parametrize('count', [0, 1])
def test_few_batches_travel_too(count):
    diary = Diary()
    assert [batch['number'] for batch in one_ahead(diary.load(count), diary)] == list(range(count))


def test_an_empty_batch_does_not_end_the_epoch():
    class Straight:
        def send(self, batch: list) -> list:
            return batch

        def receive(self, batch: list) -> None:
            pass

    assert list(one_ahead(iter([[1], [], [2]]), Straight())) == [[1], [], [2]]


def test_on_a_cpu_batches_come_as_they_are():
    batches = [dict(images=torch.zeros(2)), dict(images=torch.ones(2))]
    assert all(a is b for a, b in zip(prefetch(iter(batches), torch.device('cpu')), batches, strict=True))


def test_all_tensors_of_a_batch_are_moved_but_the_keys():
    batch = dict(images=[torch.zeros(1), torch.zeros(2)], labels=torch.zeros(3), keys=torch.zeros(4), name='a')
    moved = move(batch, torch.device('meta'))
    *tensors, name = leaves(moved)
    assert [(len(part), part.device.type) for part in tensors] == [(1, 'meta'), (2, 'meta'), (3, 'meta'), (4, 'cpu')]
    assert name == 'a'
    assert moved['name'] == 'a'
    assert all(part.device.type == 'cpu' for part in leaves(batch) if isinstance(part, Tensor))


@needs_gpu
def test_a_gpu_gets_every_batch_whole():
    def load():
        for number in range(20):
            yield dict(
                images=[torch.full((64, 3, 64, 64), number, dtype=torch.uint8).pin_memory()],
                keys=torch.full((64, 1), number),
            )

    sums: list[Tensor] = []
    for number, batch in enumerate(prefetch(load(), torch.device('cuda'))):
        assert batch['images'][0].device.type == 'cuda'
        assert batch['keys'].device.type == 'cpu'
        assert int(batch['keys'][0]) == number
        torch.cuda._sleep(1_000_000)  # the computation is late: the memory of a batch must not be given away
        sums.append(batch['images'][0].double().sum())
    assert [int(total) for total in sums] == [number * 64 * 3 * 64 * 64 for number in range(20)]


@needs_gpu
def test_sending_to_a_gpu_does_not_wait():
    lane, before = CudaLane(torch.device('cuda')), torch.cuda.get_sync_debug_mode()
    batch = dict(images=[torch.zeros(8, 3, 32, 32, dtype=torch.uint8).pin_memory()])
    torch.cuda.set_sync_debug_mode('error')
    try:
        sent = lane.send(batch)
        lane.receive(sent)
        assert sent['images'][0].device.type == 'cuda'
    finally:
        torch.cuda.set_sync_debug_mode(before)
