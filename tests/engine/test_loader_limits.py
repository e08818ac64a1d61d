"""Shared memory and open files that a loader's workers need, against those that the machine has."""

import resource
from types import SimpleNamespace

import pytest
import torch
from engine.runs import build, classifier

from binssl.engine import preflight_data
from binssl.engine.preflight_data import loader_problems
from binssl.registry import ConfigError

LOADER = dict(batch_size=10, num_workers=4, prefetch_factor=3)
#: two views of 3 x 5 x 5 bytes, keys of 16, a label and an index of 8: 182 bytes in 5 tensors
SAMPLE = dict(
    images=[torch.zeros(3, 5, 5, dtype=torch.uint8)] * 2, keys=torch.zeros(2, dtype=torch.int64), labels=3, indices=0
)
IN_FLIGHT = 13 * 1820  # bytes of 4 x 3 batches and the one in use


@pytest.fixture
def machine(monkeypatch):
    """A machine with all the memory and files that are asked for, or fewer."""

    def made(free: int = 2**40, used: int = 0, files: int = 2**20, most_files: int = 2**20) -> None:
        disk = SimpleNamespace(total=free + used, free=free)
        monkeypatch.setattr(preflight_data.shutil, 'disk_usage', lambda path: disk)
        monkeypatch.setattr(preflight_data.resource, 'getrlimit', lambda kind: (files, most_files))
        monkeypatch.setattr(preflight_data, 'get_sharing_strategy', lambda: 'file_descriptor')

    return made


def test_batches_in_flight_must_fit_into_shared_memory(machine):
    machine(free=2 * IN_FLIGHT)
    assert not loader_problems('train_dataloader', LOADER, [SAMPLE], processes=2)
    machine(free=2 * IN_FLIGHT - 1)
    [problem] = loader_problems('train_dataloader', LOADER, [SAMPLE], processes=2)
    assert problem.startswith('train_dataloader: 2 process(es) x 4 workers x 3 batches of 0 MB need 0 MB of shared')
    assert 'train_dataloader.num_workers' in problem


def test_a_run_asks_before_its_workers_start(monkeypatch, tmp_path):
    monkeypatch.setattr(preflight_data.shutil, 'disk_usage', lambda path: SimpleNamespace(total=1000, free=1000))
    cfg = classifier(tmp_path, train_dataloader__num_workers=2)
    with pytest.raises(ConfigError, match=r'the dataloader of Digits: 1 process\(es\) x 2 workers x 2 batches'):
        build(cfg).train_loop  # noqa: B018  # it is built when it is asked for


def test_the_size_that_would_do_is_named(machine):
    """77 MB a batch, as of 256 x 2 views of 224 px, in docker's 64 MB of shared memory."""
    view = torch.zeros(3, 224, 224, dtype=torch.uint8)
    machine(free=60 * 2**20, used=4 * 2**20)
    loader = dict(batch_size=256, num_workers=16)  # torch has two batches a worker in hand
    [problem] = loader_problems('train_dataloader', loader, [dict(images=[view, view])], processes=8)
    assert '8 process(es) x 16 workers x 2 batches of 77 MB need 20,347 MB' in problem  # 8 x 33 x 77.07
    assert '/dev/shm has 63 MB free' in problem
    assert '--shm-size=19g' in problem


def test_tensors_in_flight_must_fit_into_the_open_files(machine):
    needed = 13 * 5 + 4 * preflight_data.PIPES_OF_A_WORKER + preflight_data.FILES_OF_A_PROCESS
    machine(files=needed)
    assert not loader_problems('train_dataloader', LOADER, [SAMPLE], processes=1)
    machine(files=needed - 1)
    [problem] = loader_problems('val_dataloader', LOADER, [SAMPLE], processes=1)
    assert f'need {needed} open files in each process, and {needed - 1} are allowed' in problem
    assert f'run `ulimit -n {needed}` first, or lower val_dataloader.num_workers' in problem
    machine(files=100, most_files=needed - 1)
    [problem] = loader_problems('val_dataloader', LOADER, [SAMPLE], processes=1)
    assert f'ask the administrator for more than {needed - 1}' in problem


def test_both_are_told(machine):
    machine(free=1, files=1)
    assert len(loader_problems('train_dataloader', LOADER, [SAMPLE], processes=1)) == 2


def test_no_workers_and_unlimited_files_need_nothing(machine):
    machine(free=1, files=1)
    assert not loader_problems('train_dataloader', dict(batch_size=10, num_workers=0), [SAMPLE], processes=1)
    machine(files=resource.RLIM_INFINITY, most_files=resource.RLIM_INFINITY)
    assert not loader_problems('train_dataloader', LOADER, [SAMPLE], processes=1)


def test_tensors_that_are_shared_by_name_need_no_open_files(machine, monkeypatch):
    machine(files=1)
    monkeypatch.setattr(preflight_data, 'get_sharing_strategy', lambda: 'file_system')
    assert not loader_problems('train_dataloader', LOADER, [SAMPLE], processes=1)
