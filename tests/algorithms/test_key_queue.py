"""The queue by hand."""

from __future__ import annotations

import pytest
import torch

from binssl.algorithms.key_queue import KeyQueue
from binssl.registry import ConfigError


def keys(start: int, count: int = 4) -> torch.Tensor:
    return torch.arange(start, start + float(count)).view(count, 1).expand(count, 3)


def test_keys_are_written_in_order_and_wrap_around():
    queue = KeyQueue(6, 3)
    for start in (1, 5, 9):
        queue.push(keys(start))
    assert queue.keys[:, 0].tolist() == [7, 8, 9, 10, 11, 12]
    assert queue.pointer.item() == 0


def test_keys_are_written_in_place():
    queue = KeyQueue(8, 3)
    storage, before = queue.keys.data_ptr(), queue.keys.clone()
    queue.push(keys(1))
    assert queue.keys.data_ptr() == storage
    assert torch.equal(queue.keys, torch.cat([keys(1), before[4:]]))
    assert queue.pointer.item() == 4


def test_a_queue_that_was_saved_goes_on():
    first, second = KeyQueue(12, 3), KeyQueue(12, 3)
    first.push(keys(1))
    second.load_state_dict(first.state_dict())
    for queue in (first, second):
        queue.push(keys(5))
    assert set(second.state_dict()) == {'keys', 'pointer'}
    assert torch.equal(second.keys, first.keys)
    assert second.keys[:8, 0].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]


def test_it_starts_with_rows_of_unit_length():
    torch.testing.assert_close(KeyQueue(32, 3).keys.norm(dim=1), torch.ones(32))


@pytest.mark.parametrize('dtype', [torch.float16, torch.float32])
def test_keys_take_the_dtype_of_the_queue(dtype):
    queue = KeyQueue(4, 3).double()
    queue.push(keys(1).to(dtype))
    assert queue.keys.dtype == torch.float64


@pytest.mark.parametrize('batch', [8, 5, 7])
def test_a_batch_that_does_not_divide_it_is_an_error(batch):
    with pytest.raises(ConfigError, match=f'queue_length 12 must be a multiple of the global batch {batch} '):
        KeyQueue(12, 3).check_batch(batch, 1)


@pytest.mark.parametrize('batch', [1, 3, 12])
def test_any_length_that_the_batch_divides_will_do(batch):
    queue = KeyQueue(12, 3)
    queue.check_batch(batch, 1)
    for _ in range(12 // batch):
        queue.push(torch.ones(batch, 3))
    assert queue.pointer == 0


@pytest.mark.parametrize('length', [0, -4])
def test_length_must_be_positive(length):
    with pytest.raises(ConfigError, match=f'queue_length {length} must be at least 1'):
        KeyQueue(length, 3)
