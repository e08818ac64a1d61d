"""Linear evaluation on kept features: the numbers of a run on images, from a trunk that ran once."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from contracts.small import CLASSIFIER, ENCODER
from engine.runs import config as small_run
from engine.runs import run as run_config
from features.networks import write_network
from mmengine.config import Config
from warm_python import PYTHON

from binssl.checkpoints import read_checkpoint
from binssl.engine import testing
from binssl.engine.training import parse_training, train
from binssl.features.cached_linear import cache_features, parse_caching
from binssl.registry import ConfigError

ROOT = Path(__file__).parents[2]
LOADER = dict(num_workers=0, sampler=dict(type='EpochSampler'), collate_fn=dict(type='whole_batch'))


def few(split: str, views: list | None = None) -> dict:
    return dict(type='FewLabels', dataset=dict(type='Digits', split=split, views=views), percent=20)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return write_network(ENCODER, tmp_path / 'weights.pth')


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Linear evaluation on a few digits, augmented ones to train on."""
    head = dict(type='LinearHead', num_classes=10, in_channels=12)
    val = dict(LOADER, batch_size=50, dataset=few('test'), sampler=dict(type='EpochSampler', shuffle=False))
    augmented = [dict(type='DigitsAugment', degrees=15.0)]
    sections = dict(
        default_scope='binssl',
        model=dict(type='Classifier', frozen=['backbone', 'neck'], head=head),
        train_dataloader=dict(LOADER, batch_size=32, drop_last=True, dataset=few('train', augmented)),
        global_batch_size=64,
        train_cfg=dict(type='EpochLoop', max_epochs=6, val_interval=6),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1, momentum=0.9)),
        val_dataloader=val,
        val_cfg=dict(),
        val_evaluator=[dict(type='Accuracy')],
        test_dataloader=val,
        test_cfg=dict(),
        test_evaluator=[dict(type='Accuracy')],
    )
    Config(sections).dump(str(tmp_path / 'linear.py'))
    return tmp_path / 'linear.py'


def cache(config: Path, weights: Path, folder: Path, *more: str) -> list[str]:
    """What tools/train.py is then to be given."""
    given = [str(config), '--pretrained', str(weights), '--device', 'cpu', *more]
    cache_features(parse_caching([*given, '--cache-features', str(folder), '--arguments', str(folder) + '.txt']))
    return [*given, *Path(str(folder) + '.txt').read_text().splitlines()]


def score(config: Path, checkpoint: Path, out: Path) -> float:
    arguments = [str(config), str(checkpoint), '--device', 'cpu', '--work-dir', str(out.parent / out.stem)]
    testing.test(testing.parse_testing([*arguments, '--out', str(out)]))
    return json.loads(out.read_text())['metrics']['top1']


def weights_in(checkpoint: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(checkpoint)['state_dict']


def head_of(checkpoint: Path) -> torch.Tensor:
    return next(value for name, value in weights_in(checkpoint).items() if name.startswith('head.'))


def test_training_on_kept_features_is_training_on_plain_images(config: Path, weights: Path, tmp_path: Path) -> None:
    arguments = cache(config, weights, tmp_path / 'kept', '--work-dir', str(tmp_path / 'on_features'))
    train(parse_training(arguments))
    plain = ['--cfg-options', 'train_dataloader.dataset.dataset.views=None']
    train(
        parse_training(
            [
                str(config),
                '--pretrained',
                str(weights),
                '--device',
                'cpu',
                '--work-dir',
                str(tmp_path / 'on_images'),
                *plain,
            ]
        )
    )
    ours, theirs = (weights_in(tmp_path / name / 'latest.pth') for name in ('on_features', 'on_images'))
    assert ours.keys() == theirs.keys()  # the whole model
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-4, atol=1e-5)
    first = score(config, tmp_path / 'on_features/latest.pth', tmp_path / 'ours.json')
    assert first == score(config, tmp_path / 'on_images/latest.pth', tmp_path / 'theirs.json')
    assert first > 10


def test_a_run_on_features_has_a_folder_of_its_own(config: Path, weights: Path, tmp_path: Path) -> None:
    arguments = cache(config, weights, tmp_path / 'kept')
    folder = Path(arguments[arguments.index('--work-dir') + 1])
    assert folder.parts[:2] == ('work_dirs', 'linear_on_features')
    again = cache(config, weights, tmp_path / 'kept')
    assert again == arguments
    assert len(list((tmp_path / 'kept').iterdir())) == 2  # training and validation


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (['model.frozen=["backbone"]'], 'neck learns here'),
        (['model.frozen=[]'], 'backbone and neck learns here'),
        (['model.mix=[dict(type="MixUp")]'], 'model.mix needs images'),
        (['model.teacher=dict(type="FrozenTeacher")'], 'model.teacher needs images'),
    ],
)
def test_what_needs_images_is_refused(
    options: list[str], words: str, config: Path, weights: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=words):
        cache(config, weights, tmp_path / 'kept', '--cfg-options', *options)
    assert not (tmp_path / 'kept').exists()


def test_weights_are_needed(config: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='--cache-features needs the weights'):
        cache_features(parse_caching([str(config), '--cache-features', str(tmp_path / 'kept')]))


def planted(folder: Path, shuffled: bool) -> Path:
    """A folder of 400 features, (N, 12), in 10 separable classes; or with labels that nothing tells."""
    draw = np.random.RandomState(0)
    labels = np.arange(400) % 10
    centres = 4 * draw.normal(size=(10, 12))
    rows = (centres[labels] + draw.normal(size=(400, 12))).astype(np.float32)
    folder.mkdir()
    np.save(folder / 'neck.npy', rows)
    np.save(folder / 'labels.npy', draw.permutation(labels) if shuffled else labels)
    facts = dict(layers=dict(neck=12), num_classes=10, classes=None, files={'neck.npy': '', 'labels.npy': ''})
    (folder / 'features.json').write_text(json.dumps(facts))
    return folder


@pytest.mark.parametrize('shuffled', [False, True])
def test_planted_classes_are_found_and_shuffled_labels_are_chance(shuffled: bool, tmp_path: Path) -> None:
    """Trained on planted features; scored on fresh ones of the same classes (the second half)."""
    folder = planted(tmp_path / 'planted', shuffled)
    halves = []
    for number, part in enumerate((slice(0, 200), slice(200, 400))):
        half = tmp_path / str(number)
        half.mkdir()
        for name in ('neck.npy', 'labels.npy'):
            np.save(half / name, np.load(folder / name)[part])
        (half / 'features.json').write_text((folder / 'features.json').read_text())
        halves.append(dict(type='CachedFeatures', folder=str(half)))
    cfg = small_run(
        tmp_path,
        dict(CLASSIFIER, frozen=['backbone', 'neck']),
        views=1,
        epochs=20,
        batch=50,
        val_dataloader=dict(LOADER, batch_size=64, dataset=halves[1]),
        val_cfg=dict(),
        val_evaluator=[dict(type='Accuracy')],
    )
    cfg.optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1, momentum=0.9))
    cfg.train_dataloader.dataset = halves[0]
    runner = run_config(cfg)
    top1 = runner.val_loop.run()['top1']
    assert top1 < 20 if shuffled else top1 >= 99


@pytest.mark.process
@pytest.mark.slow
def test_two_processes_give_the_number_of_one(config: Path, weights: Path, tmp_path: Path) -> None:
    env = {**os.environ, 'PYTHON': PYTHON, 'OMP_NUM_THREADS': '1', 'GPUS': '2'}
    command = [
        'bash',
        'benchmarks/dist_train_linear.sh',
        str(config),
        str(weights),
        '--device',
        'cpu',
        '--cache-features',
        str(tmp_path / 'two'),
        '--work-dir',
        str(tmp_path / 'run2'),
    ]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "the validation's views, no augmentation" in done.stderr
    train(parse_training(cache(config, weights, tmp_path / 'one', '--work-dir', str(tmp_path / 'run1'))))
    for folder in (tmp_path / 'one').iterdir():
        for file in folder.glob('*.npy'):
            assert file.read_bytes() == (tmp_path / 'two' / folder.name / file.name).read_bytes()
    torch.testing.assert_close(head_of(tmp_path / 'run2/latest.pth'), head_of(tmp_path / 'run1/latest.pth'))
    numbers = [score(config, tmp_path / f'run{count}/latest.pth', tmp_path / f'{count}.json') for count in (1, 2)]
    assert numbers[0] == numbers[1]
    assert f'top1 {numbers[0]:.4g}' in done.stdout
