"""Two processes with half a batch each against one with the whole of it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch
from contracts.small import BURN, MOCO, batch, build


def answer(config: dict, folder: Path, images: slice) -> dict[str, torch.Tensor]:
    model = build(config, folder).eval()  # in eval mode no BatchNorm tells how the batch was divided
    views = model.data_preprocessor(batch(2))['images']
    losses = model([view[images] for view in views], mode='loss')
    answers = {name: value.detach() for name, value in losses.items()}
    return dict(answers, queue=model.queue.keys) if hasattr(model, 'queue') else answers


def run_process(rank: int, folder: str, port: int) -> None:
    torch.set_num_threads(1)
    address = f'tcp://127.0.0.1:{port}'
    torch.distributed.init_process_group('gloo', init_method=address, rank=rank, world_size=2)
    own = Path(folder) / str(rank)
    own.mkdir()
    half = slice(rank * 4, rank * 4 + 4)
    torch.save({name: answer(config, own, half) for name, config in (('moco', MOCO), ('burn', BURN))},
               own / 'answers.pth')
    torch.distributed.destroy_process_group()


@pytest.fixture
def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return listener.getsockname()[1]


@pytest.mark.process
def test_queue_and_log_are_over_all_processes_and_losses_average(tmp_path, free_port):
    torch.multiprocessing.spawn(run_process, (str(tmp_path), free_port), nprocs=2)
    first, second = (torch.load(tmp_path / str(rank) / 'answers.pth') for rank in (0, 1))
    whole = {name: answer(config, tmp_path, slice(8)) for name, config in (('moco', MOCO), ('burn', BURN))}
    close = {'rtol': 1e-12, 'atol': 1e-14}
    for name in ('moco', 'burn'):
        mean = (first[name]['loss'] + second[name]['loss']) / 2
        torch.testing.assert_close(mean, whole[name]['loss'], **close)
        assert first[name]['loss'] != second[name]['loss']
    for entry in ('kl', 'feature_distance', 'information'):
        assert torch.equal(first['burn'][entry], second['burn'][entry])
        torch.testing.assert_close(first['burn'][entry], whole['burn'][entry], **close)
    assert torch.equal(first['moco']['queue'], second['moco']['queue'])
    torch.testing.assert_close(first['moco']['queue'], whole['moco']['queue'], **close)
