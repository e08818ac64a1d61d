"""Checks of a run's data: the number of classes and the labels, and what a loader's workers need of the machine."""

from __future__ import annotations

import resource
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from engine.runs import build, classifier
from mmengine.config import Config
from PIL import Image

from binssl.engine import preflight_data
from binssl.engine.preflight_data import check_labels, loader_problems, settle_classes
from binssl.engine.preflight_parts import check_parts
from binssl.registry import DATASETS, ConfigError

LOADER = dict(batch_size=10, num_workers=4, prefetch_factor=3)
#: two views of 3 x 5 x 5 bytes, keys of 16, a label and an index of 8: 182 bytes in 5 tensors
SAMPLE = dict(
    images=[torch.zeros(3, 5, 5, dtype=torch.uint8)] * 2, keys=torch.zeros(2, dtype=torch.int64), labels=3, indices=0
)
IN_FLIGHT = 13 * 1820  # bytes of 4 x 3 batches and the one in use


def run_on(dataset: dict, **head: int | None) -> Config:
    """A config with a head and training data, and nothing else."""
    return Config(dict(model=dict(head=dict(type='LinearHead', **head)), train_dataloader=dict(dataset=dataset)))


def write_folder(folder: Path, classes: int) -> dict:
    """An image folder of two images a class."""
    for place in range(2 * classes):
        path = folder / f'class{place % classes}' / f'{place}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), place, dtype=np.uint8)).save(path)
    return dict(type='ImageFolder', folder=str(folder))


def test_number_is_written_into_the_config(tmp_path):
    cfg = run_on(write_folder(tmp_path, 3), num_classes=None)
    settle_classes(cfg)
    assert cfg.model.head.num_classes == 3


@pytest.mark.parametrize('head', [dict(num_classes=7), dict()])
def test_number_that_is_given_or_not_wanted_stays(head):
    cfg = run_on(dict(type='NoSuchData'), **head)
    settle_classes(cfg)
    assert cfg.model.head.get('num_classes') == head.get('num_classes')


def test_images_without_labels_tell_no_number(tmp_path):
    write_folder(tmp_path, 2)
    with pytest.raises(ConfigError, match='do not say how many classes'):
        settle_classes(run_on(dict(type='Unlabeled', folder=str(tmp_path)), num_classes=None))


def test_one_class_is_too_few(tmp_path):
    with pytest.raises(ConfigError, match='have 1 class'):
        settle_classes(run_on(write_folder(tmp_path, 1), num_classes=None))


def test_images_of_one_class_teach_nothing():
    digits = DATASETS.build(dict(type='Digits'))
    digits.labels = np.full_like(digits.labels, 4)
    with pytest.raises(ConfigError, match='all 1437 training images are of class 4'):
        check_labels(digits, 10)


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


def test_label_beyond_the_classes_of_its_set_is_told_with_the_image() -> None:
    data = DATASETS.build(dict(type='Digits', split='held_out'))
    data.num_classes = 9
    with pytest.raises(ConfigError, match=r'^Digits held_out \d+ of .* has label 9, and its set 9 classes'):
        check_labels(data, 10)


@pytest.mark.parametrize('name', ['val_dataloader', 'test_dataloader'])
def test_a_scored_loader_that_drops_its_last_batch_is_refused(tmp_path, name):
    cfg = classifier(tmp_path)
    cfg[name] = dict(cfg.train_dataloader.to_dict(), drop_last=True)
    assert f'{name}.drop_last leaves images out of the score: remove it' in check_parts(cfg)
    cfg[name].drop_last = False
    assert not any('drop_last' in problem for problem in check_parts(cfg))
