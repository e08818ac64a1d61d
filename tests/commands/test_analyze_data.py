"""tools/analyze_data.py as a person types it."""

from __future__ import annotations

import json
import os
import runpy
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest
import torch
from commands.data_configs import loader, write_config
from imagenet_folder import make_imagenet_folder, truncate
from PIL import Image

from binssl.data_tools.read_all import analyze, in_order
from binssl.data_tools.report import count_labels
from binssl.registry import DATASETS, ConfigError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def analyze_data(monkeypatch, capsys):
    """Runs the tool: exit code, what it printed, what it complained."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, 'argv', ['analyze_data.py', *arguments])
        code = 0
        try:
            runpy.run_path(str(ROOT / 'tools' / 'analyze_data.py'), run_name='__main__')
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def photos(tmp_path) -> Path:
    """12 training images of 3 classes, 80 x 60."""
    return make_imagenet_folder(tmp_path / 'imagenet', train=12, val=3, classes=3, lists=False) / 'train'


def config_of(tmp_path: Path, folder: Path) -> str:
    return write_config(tmp_path, train_dataloader=loader(dict(type='ImageFolder', folder=str(folder))))


def spoil(folder: Path) -> list[Path]:
    """Makes four of the twelve files bad in ways of their own; returns them in the data set's order."""
    files = sorted(folder.glob('*/*'))
    truncate(files[1])
    files[4].write_bytes(b'')
    files[6].write_bytes(bytes(range(256)))
    strange = files[11].with_name(os.fsdecode(b'nam\xe9.JPEG'))
    files[11].rename(strange)
    strange.write_text('hello')
    return [files[1], files[4], files[6], strange]


def test_good_images_are_counted(analyze_data, tmp_path, photos):
    Image.open(sorted(photos.glob('*/*'))[0]).convert('L').resize((20, 10)).save(photos / 'n01440764' / 'zz.png')
    code, output, errors = analyze_data(config_of(tmp_path, photos), '--workers', '0', '--out', str(tmp_path / 'out'))
    assert (code, errors) == (0, '')
    assert 'train: ImageFolder, 13 images, 13 files decoded' in output
    assert 'mode     RGB 12, L 1' in output
    assert 'width    20 to 80 px, median 80' in output
    assert 'bad      none' in output
    [report] = json.loads((tmp_path / 'out' / 'analysis.json').read_text())
    assert report['formats'] == dict(JPEG=12, PNG=1)
    assert report['heights'] == dict(least=10, median=60, most=60)
    assert report['unusual'] == dict(grayscale=dict(images=1, such_as=[str(photos / 'n01440764' / 'zz.png')]))
    assert report['labels'] == dict(
        unlabeled=0, images_by_label=[5, 4, 4], class_names=['n01440764', 'n01441764', 'n01442764']
    )
    assert (tmp_path / 'out' / 'bad_files.txt').read_bytes() == b''


def test_bad_files_end_the_report_and_fill_the_list(analyze_data, tmp_path, photos):
    bad = spoil(photos)
    code, output, _ = analyze_data(config_of(tmp_path, photos), '--workers', '0', '--out', str(tmp_path / 'out'))
    assert code == 1
    listed = [line.partition(b'\t') for line in (tmp_path / 'out' / 'bad_files.txt').read_bytes().splitlines()]
    assert [os.fsdecode(path) for path, _, _ in listed] == [str(file) for file in bad]
    problems = [problem.decode() for _, _, problem in listed]
    assert 'truncated' in problems[0]
    assert problems[1:] == ['an empty file', 'no image of a known format', 'no image of a known format']
    assert output.splitlines()[-5:] == ['  bad      4 of 12:'] + [
        f'    {str(file)!r}: {problem}' for file, problem in zip(bad, problems, strict=True)
    ]
    [report] = json.loads((tmp_path / 'out' / 'analysis.json').read_text())
    assert [image['index'] for image in report['bad']] == [1, 4, 6, 11]
    assert report['modes'] == dict(RGB=8)


@pytest.mark.process
def test_two_processes_find_what_one_does(tmp_path, photos, monkeypatch):
    spoil(photos)
    monkeypatch.setattr('binssl.data_tools.read_all._CHUNK', 1)
    config = config_of(tmp_path, photos)
    [alone], [together] = (analyze(config, workers=workers) for workers in (0, 2))
    assert alone.as_data() == together.as_data()
    assert len(alone.bad) == 4


class Killed:
    """A pool whose processes are killed at once."""

    def __init__(self, workers: int, initializer: object, initargs: tuple) -> None:
        self.shut = False

    def submit(self, *work: object) -> None:
        raise BrokenProcessPool('terminated abruptly')

    def shutdown(self, cancel_futures: bool) -> None:
        self.shut = cancel_futures


def test_a_killed_process_is_told(monkeypatch):
    monkeypatch.setattr('binssl.data_tools.read_all.ProcessPoolExecutor', Killed)
    with pytest.raises(ConfigError, match=r'was killed: .*use fewer --workers'):
        list(in_order(len, ['a', 'b'], 2))


def test_a_file_that_goes_while_the_others_are_read_is_bad(monkeypatch, tmp_path, photos):
    """The index is made first; the first file goes when the reading starts."""
    file = sorted(photos.glob('*/*'))[0]
    monkeypatch.setattr(
        'binssl.data_tools.read_all.in_order',
        lambda work, tasks, _: (file.unlink(missing_ok=True) or work(task) for task in tasks),
    )
    [found] = analyze(config_of(tmp_path, photos), workers=0)
    assert [(image.file, image.problem) for image in found.bad] == [(str(file), 'not there any more')]


def test_every_split_is_read_and_equal_ones_once(analyze_data):
    code, output, _ = analyze_data(str(ROOT / 'configs' / 'supervised' / 'reactnet_digits'), '--workers', '0')
    heads = [line for line in output.splitlines() if not line.startswith(' ')]
    assert code == 0
    assert heads == ['train: Digits, 1,437 images, in memory', 'test: Digits, 360 images, in memory']
    assert 'width    8 to 8 px' in output


def test_bank_and_query_are_read_as_one(tmp_path, photos):
    parts = [dict(type='ImageFolder', folder=str(photos.parent / split)) for split in ('train', 'val')]
    config = write_config(tmp_path, val_dataloader=loader(dict(type='BankAndQuery', bank=parts[0], query=parts[1])))
    [found] = analyze(config, workers=0)
    assert (found.images, found.files, found.counts, found.modes) == (15, 15, [5, 5, 5], {'RGB': 15})


def test_small_pictures_are_bad_where_asked(analyze_data, tmp_path, photos):
    code, output, _ = analyze_data(config_of(tmp_path, photos), '--workers', '0', '--min-side', '61')
    assert code == 1
    assert 'bad      12 of 12:' in output
    assert '80 x 60 px, a side is shorter than 61' in output


@pytest.mark.parametrize(
    ('labels', 'num_classes', 'counts', 'unlabeled', 'outside'),
    [
        ([0, 2, 2, -1], 4, [1, 0, 2, 0], 1, []),
        ([0, 4, -2, 1], 4, [1, 1, 0, 0], 0, [1, 2]),
        ([0, 3], 0, [1, 0, 0, 1], 0, []),
        ([-1, -1], 0, [], 2, []),
    ],
)
def test_labels_are_counted(labels, num_classes, counts, unlabeled, outside):
    result = count_labels(np.array(labels), num_classes)
    assert (*result[:2], result[2].tolist()) == (counts, unlabeled, outside)


class Odd:
    """Two pictures in memory, one of them of a class that the set does not have."""

    split, num_classes = 'fit', 3
    images, labels = torch.zeros(2, 3, 4, 6, dtype=torch.uint8), torch.tensor([2, 7])

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __len__(self) -> int:
        return len(self.labels)


def test_a_label_that_is_no_class_is_bad(monkeypatch, tmp_path):
    monkeypatch.setitem(DATASETS.module_dict, 'Odd', Odd)
    [found] = analyze(write_config(tmp_path, train_dataloader=loader(dict(type='Odd', seed=3))), workers=0)
    assert [vars(image) for image in found.bad] == [
        dict(index=1, file='Odd fit 1', label=7, problem='label 7 is none of the 3 classes')
    ]
    assert (found.counts, found.sizes.tolist()) == ([0, 0, 1], [[6, 4], [6, 4]])


def test_of_many_classes_the_rarest_and_the_commonest_are_drawn(tmp_path, analyze_data, photos):
    for number in range(30):
        (photos / f'more{number:02d}').mkdir()
        for copy in range(1 + (number == 7)):
            Image.new('RGB', (4, 4)).save(photos / f'more{number:02d}' / f'{copy}.png')
    _, output, _ = analyze_data(config_of(tmp_path, photos), '--workers', '0')
    bars = [line.split() for line in output.splitlines() if '#' in line]
    assert 'labels   43 images of 33 classes, 1 to 4 each' in output
    assert [int(bar[-1]) for bar in bars] == [1] * 10 + [1] * 6 + [2, 4, 4, 4]
    assert {len(bar[2]) for bar in bars if bar[-1] == '4'} == {30}


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--split', 'test'], 'the config has no test_dataloader; --split can be train here'),
        (['--workers', '-1'], '--workers -1 must be at least 0'),
        (['--min-side', '0'], '--min-side 0 at least 1'),
        (['--cfg-options', 'train_dataloader.dataset.folder=/nowhere'], "no image folder '/nowhere'"),
    ],
)
def test_bad_input_is_one_sentence(analyze_data, tmp_path, photos, arguments, message):
    code, output, errors = analyze_data(config_of(tmp_path, photos), *arguments)
    assert (code, output) == (1, '')
    assert errors.startswith('error: ')
    assert message in errors


def test_earlier_results_are_overwritten_by_force_only(analyze_data, tmp_path, photos):
    arguments = [config_of(tmp_path, photos), '--workers', '0', '--out', str(tmp_path / 'out')]
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'bad_files.txt').write_text('mine')
    code, _, errors = analyze_data(*arguments)
    assert code == 1
    assert 'already holds bad_files.txt; use --force' in errors
    assert (tmp_path / 'out' / 'bad_files.txt').read_text() == 'mine'
    assert analyze_data(*arguments, '--force')[0] == 0
    assert (tmp_path / 'out' / 'bad_files.txt').read_text() == ''


def test_a_config_without_data_is_refused(analyze_data, tmp_path):
    code, _, errors = analyze_data(write_config(tmp_path, work_dir='x'))
    assert code == 1
    assert 'the config describes no data' in errors
