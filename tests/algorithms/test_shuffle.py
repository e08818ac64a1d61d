"""Mixed batches in front of pretended processes; tests/contracts/test_processes.py has real ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from contracts.small import MOCO, S2BNN, batch, build
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensor, FakeTensorMode
from torch.testing._internal.distributed.fake_pg import FakeStore

from binssl.algorithms.key_queue import encode_keys


@pytest.fixture
def two_processes() -> Iterator[None]:
    """The first of two processes, whose messages go nowhere."""
    torch.distributed.init_process_group('fake', store=FakeStore(), rank=0, world_size=2)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(torch.__version__.startswith('2.6.'), reason='fake tensors of torch 2.6 know no collective')
@pytest.mark.parametrize('config', [MOCO, S2BNN], ids=['MoCo', 'S2BNN'])
def test_shuffling_never_waits_for_the_device(config, two_processes, tmp_path):
    # a fake tensor has no value: whatever asks for one raises
    model = build(config, tmp_path).train()
    with FakeTensorMode(allow_non_fake_inputs=True) as fake:
        views = model.data_preprocessor(dict(images=[fake.from_tensor(view) for view in batch(2)['images']]))
        losses = model(views['images'], mode='loss')
        assert all(isinstance(value, FakeTensor) for value in losses.values())
        with pytest.raises(DataDependentOutputException):
            losses['loss'].item()


def test_one_process_has_nothing_to_mix():
    images = torch.arange(4.0).view(4, 1, 1, 1)
    state = torch.get_rng_state()
    keys = encode_keys(lambda given: given.flatten(1), images, shuffled=True)
    assert torch.equal(keys.own, images.flatten(1))
    assert torch.equal(keys.everyone, keys.own)
    assert torch.equal(torch.get_rng_state(), state)
