"""The SVM benchmark as a command: on digits and on a made-up VOC 2007, going on where it was, with clear errors."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from imagenet_folder import make_imagenet_folder
from made_up_voc07 import write_voc07
from warm_python import PYTHON

from binssl.datasets import VOC07
from binssl.engine.testing import parse_testing
from binssl.engine.testing import test as run_test
from binssl.engine.weights import write_initial_weights
from binssl.evaluation import LinearSVM
from binssl.evaluation.average_precision import average_precisions
from binssl.features.svm import parse_svm
from binssl.features.svm import test_svm as run_svm
from binssl.registry import ConfigError

ROOT = Path(__file__).parents[2]
SMALL = 'backbone=dict(channels=[8, 8, 16], strides=[1, 2])'
FEW = "test_evaluator = [dict(type='LinearSVM', costs=[1.0], shots=[2], repeats=2)]"
VOC = """
_base_ = ['{root}/configs/benchmarks/svm/voc07.py']
_VIEWS = [[dict(type='torchvision/Resize', size=(4, 5))]]  # a pixel a class
_PART = dict(type='VOC07', root='{devkit}', views=_VIEWS)
test_dataloader = dict(num_workers=0, dataset=dict(bank=_PART, query=_PART))
test_evaluator = [dict(type='LinearSVM', costs=[10.0], shots=[2], repeats=2, difficult='negative')]
"""


@pytest.fixture(scope='module')
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training config, its weights as after an epoch, weights that leave pixels as they are, a short protocol."""
    folder = tmp_path_factory.mktemp('svm')
    train = f"_base_ = ['{ROOT}/configs/_base_/models/reactnet_digits.py']\nmodel = dict(type='Encoder', {SMALL})\n"
    (folder / 'train.py').write_text(f'{train}work_dir = {os.fspath(folder / "run")!r}\n')
    write_initial_weights(folder / 'train.py', folder / 'run/epoch_3.pth')
    write_initial_weights(ROOT / 'configs/benchmarks/features/raw_pixels.py', folder / 'pixels.pth')
    (folder / 'digits.py').write_text(f"_base_ = ['{ROOT}/configs/benchmarks/svm/digits.py']\n{FEW}\n")
    return folder


def command(
    place: Path,
    out: Path,
    *more: str,
    config: str = 'digits.py',
    weights: str = 'run/epoch_3.pth',
    layers: tuple[str, ...] = ('neck',),
) -> argparse.Namespace:
    return parse_svm(
        [
            str(place / config),
            str(place / weights),
            '--layers',
            *layers,
            '--features',
            str(out / 'features'),
            '--work-dir',
            str(out / 'work'),
            '--jobs',
            '1',
            *more,
        ]
    )


def numbers(out: Path) -> dict[str, float]:
    return json.loads((out / 'work/results.json').read_text())['metrics']


def test_neck_scores_as_tools_test_does(place, tmp_path):
    run_svm(command(place, tmp_path))
    arguments = [str(place / 'digits.py'), str(place / 'run/epoch_3.pth'), '--work-dir', str(tmp_path / 'test')]
    run_test(parse_testing(arguments))
    tested = json.loads((tmp_path / 'test/results.json').read_text())['metrics']
    assert numbers(tmp_path) == pytest.approx(tested)
    assert set(tested) == {'svm_top1', 'svm_top1_2_shots', 'svm_top1_2_shots_std'}


def test_table_has_a_row_a_layer_and_says_what_was_measured(place, tmp_path, capsys):
    out = tmp_path / 'mine.json'
    run_svm(command(place, tmp_path, '--out', str(out), layers=('feat4 feat5', 'neck')))
    table, record = (tmp_path / 'work/table.md').read_text(), json.loads(out.read_text())
    assert capsys.readouterr().out.strip() == table.strip()
    metrics = record['metrics']
    rows = [line.split() for line in table.splitlines() if line.startswith('| feat4 ')]
    assert rows[0][3] == f'{metrics["svm_top1_feat4"]:.2f}'
    mean, std = (f'{metrics[f"svm_top1_2_shots{key}_feat4"]:.1f}' for key in ('', '_std'))
    assert rows[0][5:8] == [mean, '±', std]
    assert len(metrics) == 9
    for fact in (record['sha256'], record['source']['train']['data'], record['source']['test']['data']):
        assert len(fact) == 64
        assert fact in table
    assert record == json.loads((tmp_path / 'work/results.json').read_text())


def test_what_is_done_stays_and_only_what_differs_is_made_anew(place, tmp_path, monkeypatch):
    measured: list[Any] = []
    plain = LinearSVM.measure

    def counted(self: LinearSVM, part: Any, *rest: Any) -> dict:
        measured.append(part)
        return plain(self, part, *rest)

    monkeypatch.setattr(LinearSVM, 'measure', counted)
    run_svm(command(place, tmp_path))
    first = numbers(tmp_path)
    assert measured == ['all', 2]
    (tmp_path / 'work/neck/2_shots.json').write_text('{"cut o')
    run_svm(command(place, tmp_path))
    assert (measured, numbers(tmp_path)) == (['all', 2, 2], first)
    run_svm(command(place, tmp_path, '--cfg-options', 'test_evaluator.0.seed=1'))
    assert measured == ['all', 2, 2, 2]  # no draw of all
    assert numbers(tmp_path)['svm_top1'] == first['svm_top1']
    run_svm(command(place, tmp_path, '--cfg-options', 'test_evaluator.0.costs=[2.0]'))
    assert measured[4:] == ['all', 2]


def test_an_interrupted_run_goes_on(place, tmp_path, monkeypatch):
    plain = LinearSVM.measure

    def stop_at_shots(self: LinearSVM, part: Any, *rest: Any) -> dict:
        if part == 2:
            raise KeyboardInterrupt
        return plain(self, part, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(LinearSVM, 'measure', stop_at_shots)
        with pytest.raises(KeyboardInterrupt):
            run_svm(command(place, tmp_path))
    before = (tmp_path / 'work/neck/all.json').stat().st_mtime_ns
    run_svm(command(place, tmp_path))
    assert (tmp_path / 'work/neck/all.json').stat().st_mtime_ns == before
    assert len(numbers(tmp_path)) == 3


def voc(place: Path, out: Path, devkit: Path) -> dict[str, float]:
    (place / 'voc.py').write_text(VOC.format(root=ROOT, devkit=devkit))
    run_svm(
        command(
            place,
            out,
            '--cfg-options',
            'test_dataloader.dataset.query.split=test',
            config='voc.py',
            weights='pixels.pth',
        )
    )
    return numbers(out)


def test_planted_classes_of_a_made_up_voc_are_found(place, tmp_path):
    found = voc(place, tmp_path, write_voc07(tmp_path / 'VOCdevkit', 120, 40))
    assert found['svm_map'] >= 99
    assert found['svm_map_11_points'] >= 99
    assert found['svm_map_2_shots'] > 50


def test_shuffled_labels_of_a_made_up_voc_score_chance(place, tmp_path):
    devkit = write_voc07(tmp_path / 'VOCdevkit', 120, 200)
    photos = sorted((devkit / 'VOC2007/JPEGImages').glob('*_trainval_*'))
    contents = [photo.read_bytes() for photo in photos]
    for photo, place_of in zip(photos, np.random.default_rng(0).permutation(len(photos)), strict=True):
        photo.write_bytes(contents[place_of])
    targets = VOC07('test', devkit).labels
    guesses = np.random.default_rng(0).random((20, *targets.shape))
    chance = 100 * np.mean([average_precisions(guess, targets) for guess in guesses])
    assert voc(place, tmp_path, devkit)['svm_map'] == pytest.approx(chance, abs=4)


def test_a_made_up_places205_is_learnt_from_a_few_of_each_class(place, tmp_path):
    root = make_imagenet_folder(tmp_path / 'places205')  # the layout is that of Places205 as OpenSelfSup has it
    part = f"dict(root='{root}', views=[[dict(type='torchvision/Resize', size=(6, 8))]])"
    (place / 'places.py').write_text(
        f"_base_ = ['{ROOT}/configs/benchmarks/svm/places205.py']\n"
        f'test_dataloader = dict(num_workers=0, dataset=dict(bank=dict(per_class=10, dataset={part}), query={part}))\n'
        "test_evaluator = [dict(type='LinearSVM', full=False, shots=[1, 4])]\n"
    )
    run_svm(command(place, tmp_path, config='places.py', weights='pixels.pth'))
    found = numbers(tmp_path)
    assert set(found) == {f'svm_top1_{shots}_shots{key}' for shots in (1, 4) for key in ('', '_std')}
    assert found['svm_top1_4_shots'] > 85  # a class has a colour, with noise
    assert 'all:' not in (tmp_path / 'work/table.md').read_text()


def test_network_as_it_is_initialised(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = ['--protocol', str(place / 'digits.py'), '--layers', 'neck', '--jobs', '1']
    run_svm(parse_svm([str(place / 'train.py'), 'random', *flags]))
    (written,) = Path('work_dirs').glob('**/random_seed0.pth')
    (results,) = Path('work_dirs').glob('**/results.json')
    assert json.loads(results.read_text())['checkpoint'] == str(written)


@pytest.mark.slow
@pytest.mark.process
def test_script_of_an_epoch_gives_the_same_with_two_processes_and_two_jobs(place, tmp_path):
    run_svm(command(place, tmp_path / 'one', layers=('feat4', 'feat5')))
    script, two = ROOT / 'benchmarks/dist_test_svm_epoch.sh', tmp_path / 'two'
    done = subprocess.run(
        [
            'bash',
            str(script),
            str(place / 'train.py'),
            '3',
            'feat4 feat5',
            '2',
            '--protocol',
            str(place / 'digits.py'),
            '--features',
            str(two / 'features'),
            '--work-dir',
            str(two / 'work'),
            '--jobs',
            '2',
            '--device',
            'cpu',
        ],
        timeout=280,
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHON': PYTHON},
    )
    assert done.returncode == 0, done.stderr
    assert numbers(two) == numbers(tmp_path / 'one')


@pytest.mark.parametrize(
    ('config', 'arguments', 'message'),
    [
        ('digits.py', [], 'give WEIGHTS, or --epoch N'),
        ('train.py', ['{}/pixels.pth', '--epoch', '3'], 'one of the two'),
        ('train.py', ['--epoch', '4', '--protocol', '{}/digits.py'], r'no .*run/epoch_4\.pth; in .*: epoch_3\.pth'),
        ('digits.py', ['{}/nowhere.pth'], r'nowhere\.pth'),
        ('digits.py', ['random'], 'has no model'),
        ('digits.py', ['{}/run/epoch_3.pth', '--layers', 'feat6'], 'feat6'),
        ('digits.py', ['{}/run/epoch_3.pth', '--jobs', '0'], '--jobs 0 must be at least 1'),
        ('digits.py', ['{}/run/epoch_3.pth', '--protocol', '{}/digits.py'], 'leave --protocol out'),
        ('train.py', ['{}/run/epoch_3.pth', '--protocol', '{}/train.py'], 'has no test_evaluator=.*LinearSVM'),
        (
            'digits.py',
            ['{}/run/epoch_3.pth', '--cfg-options', 'test_evaluator.0.shots=[300]'],
            r'class \d has 1\d\d positive images, fewer than the 300 that 300 shots draw; lower test_evaluator.0.shots',
        ),
        ('digits.py', ['{}/run/epoch_3.pth', '--cfg-options', 'test_evaluator.0.shot=[3]'], "'shots'"),
        ('digits.py', ['{}/run/epoch_3.pth', '--cfg-options', 'test_evaluator.0.shots=3'], 'LinearSVM: shots is 3'),
        (
            'digits.py',
            ['{}/run/epoch_3.pth', '--cfg-options', "test_dataloader.dataset={'type':'Digits','_delete_':1}"],
            'SVMs learn from a bank and score a query',
        ),
        (
            'train.py',
            ['{}/run/epoch_3.pth', '--protocol', str(ROOT / 'configs/benchmarks/svm/voc07.py')],
            'no VOC07: there is no folder',
        ),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_extracted(
    place, tmp_path, monkeypatch, config, arguments, message
):
    monkeypatch.chdir(tmp_path)
    given = [argument.replace('{}', str(place)) for argument in arguments]
    with pytest.raises((ConfigError, OSError), match=message):
        run_svm(parse_svm([str(place / config), *given]))
    assert not list(tmp_path.glob('**/*.npy'))


def test_one_class_and_missing_labels_are_errors(place, tmp_path, shared_photos):
    for name, message in (('one', 'only one class to learn from'), ('unknown', 'have no label')):
        dataset = dict(type='ImageList', folder=str(shared_photos), list_file=str(shared_photos / f'{name}.txt'))
        options = [
            '--cfg-options',
            f'test_dataloader.dataset.bank={dict(dataset, _delete_=True)!r}',
            f'test_dataloader.dataset.query={dict(dataset, _delete_=True)!r}',
        ]
        with pytest.raises(ConfigError, match=message):
            run_svm(command(place, tmp_path, *options))


@pytest.fixture
def shared_photos(tmp_path: Path) -> Path:
    """Eight photos, a list that says one class of all, and one that says none."""
    source = write_voc07(tmp_path / 'devkit', 8, 1) / 'VOC2007/JPEGImages'
    folder = tmp_path / 'photos'
    shutil.copytree(source, folder)
    names = sorted(file.name for file in folder.glob('*.jpg'))
    (folder / 'one.txt').write_text(''.join(f'{name} 0\n' for name in names))
    (folder / 'unknown.txt').write_text(''.join(f'{name}\n' for name in names))
    return folder
