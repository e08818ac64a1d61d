"""Two processes with half a batch each against one with the whole of it: BYOL, SimSiam, SwAV."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch
from contracts.small import BYOL, SIMSIAM, SWAV, batch, build, changed, sizes
from torch.nn.parallel import DistributedDataParallel

from binssl.engine import synchronise_batch_norm

CONFIGS = {
    'byol': BYOL,
    'simsiam': SIMSIAM,
    'swav': SWAV,
    'swav with a queue': changed(SWAV, queue_length=16),
}
STEPS = 3


def train(config: dict, folder: Path, images: slice, processes: int) -> dict[str, torch.Tensor]:
    """Three steps of SGD in float64: losses, the log's spread, the state at the end."""
    model = build(config, folder).train()
    if processes > 1:
        assert synchronise_batch_norm(model, True, on_gpu=False) > 0
    called = DistributedDataParallel(model, broadcast_buffers=False) if processes > 1 else model
    optimizer = torch.optim.SGD([weight for weight in model.parameters() if weight.requires_grad], lr=0.05)
    losses, spreads = [], []
    for step in range(STEPS):
        data = model.data_preprocessor(batch(sizes(model), seed=step))
        terms = called([view[images] for view in data['images']], mode='loss')
        optimizer.zero_grad()
        terms['loss'].backward()
        optimizer.step()
        if hasattr(model, 'teacher'):
            model.teacher.update()
        losses.append(terms['loss'].detach())
        spreads.append(terms['feature_std'])
    return dict(losses=torch.stack(losses), spreads=torch.stack(spreads), state=model.state_dict())


def run_process(rank: int, folder: str, port: int) -> None:
    torch.set_num_threads(1)
    address = f'tcp://127.0.0.1:{port}'
    torch.distributed.init_process_group('gloo', init_method=address, rank=rank, world_size=2)
    half = slice(rank * 4, rank * 4 + 4)
    answers = {name: train(config, Path(folder), half, processes=2) for name, config in CONFIGS.items()}
    torch.save(answers, Path(folder) / f'{rank}.pth')
    torch.distributed.destroy_process_group()


@pytest.mark.process
def test_two_processes_learn_as_one_with_the_joined_batches(tmp_path):
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        port = listener.getsockname()[1]
    torch.multiprocessing.spawn(run_process, (str(tmp_path), port), nprocs=2)
    first, second = (torch.load(tmp_path / f'{rank}.pth') for rank in (0, 1))
    close = {'rtol': 1e-6, 'atol': 1e-9}
    for name, config in CONFIGS.items():
        one = train(config, tmp_path, slice(8), processes=1)
        means = (first[name]['losses'] + second[name]['losses']) / 2
        torch.testing.assert_close(means, one['losses'], **close, msg=name)
        assert (first[name]['losses'] - second[name]['losses']).abs().max() > 1e-4
        assert torch.equal(first[name]['spreads'], second[name]['spreads'])
        torch.testing.assert_close(first[name]['spreads'], one['spreads'], **close)
        for key, value in one['state'].items():
            assert torch.equal(first[name]['state'][key], second[name]['state'][key]), key
            torch.testing.assert_close(first[name]['state'][key], value, **close, msg=f'{name}: {key}')
