"""k-NN as a command: the same number from one and from two processes; what cannot be scored is told at once."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
from contracts.small import ENCODER
from evaluation.planted import knn_accuracies
from imagenet_folder import make_imagenet_folder, truncate
from methods.random_weights import write_random
from mmengine.config import Config
from warm_python import PYTHON

from binssl import load_model
from binssl.engine import load_config
from binssl.features import knn
from binssl.features.knn import check_bank, knn_evaluator, parse_knn
from binssl.registry import DATASETS, ConfigError, DataError

ROOT = Path(__file__).parents[2]
DIGITS, FOLDER = (str(ROOT / f'configs/benchmarks/knn/{name}.py') for name in ('digits', 'folder'))


@pytest.fixture
def weights(tmp_path: Path) -> str:
    write_random(ENCODER, str(tmp_path / 'weights.pth'))
    return str(tmp_path / 'weights.pth')


def numbers(folder: Path) -> dict[str, float]:
    return json.loads((folder / 'results.json').read_text())['metrics']


def run(*arguments: str) -> None:
    knn.test_knn(parse_knn(arguments))


def features(weights: str, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    dataset = DATASETS.build(dict(type='Digits', split=split))
    batch = dataset.__getitems__([(index, 0) for index in range(len(dataset))])
    model = load_model(weights)
    with torch.no_grad():
        normalised = model.data_preprocessor(dict(images=batch['images']))['images']
        return model.extract(normalised[0] if isinstance(normalised, (list, tuple)) else normalised), batch['labels']


@pytest.mark.slow
@pytest.mark.process
def test_script_in_two_processes_gives_the_number_of_one(weights: str, tmp_path: Path) -> None:
    """1,797 images: one of them comes twice, so that both processes have as many."""
    flags = ['--num-knn', '10', '200', '--temperature', '0.1']
    run(DIGITS, weights, *flags, '--work-dir', str(tmp_path / 'one'))
    environment = {**os.environ, 'GPUS': '2', 'PYTHON': PYTHON, 'OMP_NUM_THREADS': '1'}
    done = subprocess.run(
        [
            'bash',
            'benchmarks/dist_test_knn.sh',
            DIGITS,
            weights,
            *flags,
            '--work-dir',
            str(tmp_path / 'two'),
            '--device',
            'cpu',
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert numbers(tmp_path / 'two') == numbers(tmp_path / 'one')
    data = *features(weights, 'train'), *features(weights, 'test')
    expected = [100 * share for share in knn_accuracies(*data, [10, 200], 0.1)]
    assert list(numbers(tmp_path / 'one').values()) == pytest.approx(expected, abs=1e-9)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of images, and ``pixels.pth``, the raw pixels as a network."""
    root = make_imagenet_folder(tmp_path / 'images', lists=False)
    write_random(
        load_config(ROOT / 'configs/benchmarks/features/raw_pixels.py').model.to_dict(), tmp_path / 'pixels.pth'
    )
    monkeypatch.setenv('DATA_ROOT', str(root))
    return root


def score(folder: Path, *options: str) -> dict[str, float]:
    """k-NN with three neighbours among the images of a folder."""
    run_dir = str(folder.parent / 'run')
    flags = ('--num-knn', '3', '--work-dir', run_dir, '--cfg-options', *options)
    run(FOLDER, str(folder.parent / 'pixels.pth'), *flags)
    return numbers(folder.parent / 'run')


def test_folder_of_images_is_scored(folder: Path) -> None:
    """Its classes have colours of their own, which the pixels themselves tell."""
    views = 'test_dataloader.dataset.{}.views=[[dict(type="torchvision/Resize",size=[1,1])]]'
    found = score(folder, 'test_dataloader.num_workers=0', views.format('bank'), views.format('query'))
    assert list(found) == ['knn_top1']
    assert found['knn_top1'] >= 99


@pytest.mark.parametrize('workers', [0, pytest.param(1, marks=pytest.mark.process)])
def test_no_other_image_is_scored_for_a_bad_one(folder: Path, workers: int) -> None:
    bad = sorted((folder / 'val').glob('*/*'))[3]
    truncate(bad)
    with pytest.raises(DataError, match=r'cannot be decoded .* repair it') as told:
        score(folder, f'test_dataloader.num_workers={workers}', 'test_dataloader.persistent_workers=False')
    assert str(told.value).startswith(repr(str(bad)))
    assert not (folder.parent / 'run/results.json').exists()


def test_flags_take_the_place_of_the_configs_settings() -> None:
    cfg = load_config(DIGITS)
    assert knn_evaluator(cfg, None, None) == cfg.test_evaluator[0].to_dict()
    assert knn_evaluator(cfg, [5], 0.2) == dict(type='KNNAccuracy', num_neighbours=[5], temperature=0.2)
    others = Config(dict(test_evaluator=dict(type='Accuracy')))
    assert knn_evaluator(others, None, 0.2) == dict(type='KNNAccuracy', temperature=0.2)


@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        (['--num-knn', '20', '2000'], 'num_neighbours 2000 is more than the 1437 bank samples'),
        (['--num-knn', '0'], 'whole number above 0'),
        (['--temperature', '0'], 'temperature is 0.0'),
        (['--cfg-options', 'test_dataloader=none'], 'no test_dataloader; take a config of configs/benchmarks/knn'),
        (
            ['--cfg-options', 'test_dataloader.dataset=dict(_delete_=True, type="Digits")'],
            "is a Digits, which has no images to learn from: take type='BankAndQuery'",
        ),
    ],
)
def test_bad_input_is_told_before_anything_is_extracted(flags, message, weights, monkeypatch) -> None:
    monkeypatch.setattr(knn, 'test', lambda args: pytest.fail('it started'))
    with pytest.raises(ConfigError, match=message):
        run(DIGITS, weights, *flags)


def test_file_without_a_trunk_is_refused(tmp_path: Path) -> None:
    torch.save(dict(format_version=1, state_dict={}, meta=dict(model='{"type": "LinearHead"}')), tmp_path / 'head.pth')
    with pytest.raises(ConfigError, match='without a backbone'):
        run(DIGITS, str(tmp_path / 'head.pth'), '--work-dir', str(tmp_path / 'run'))


def bank_of(root: Path, **bank: str) -> Config:
    own = dict(type='ImageFolder', folder=str(root / 'train')) | bank
    query = dict(type='ImageFolder', folder=str(root / 'val'))
    data = dict(type='BankAndQuery', bank=own, query=query)
    return Config(dict(test_dataloader=dict(dataset=data)))


def test_one_class_is_refused(tmp_path: Path) -> None:
    root = make_imagenet_folder(tmp_path / 'images', train=4, val=2, classes=1, lists=False)
    with pytest.raises(ConfigError, match='the bank has only class 0; at least two'):
        check_bank(bank_of(root), [2])


def test_images_without_labels_are_refused(tmp_path: Path) -> None:
    root = make_imagenet_folder(tmp_path / 'images', train=8, val=4)
    lists = dict(type='ImageList', list_file=str(root / 'meta/train.txt'))
    with pytest.raises(ConfigError, match='8 of the 8 images of the bank have no label: take lists with lines PATH'):
        check_bank(bank_of(root, **lists), [2])
