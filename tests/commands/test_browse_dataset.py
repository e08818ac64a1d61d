"""tools/browse_dataset.py as a person types it: what stands on the sheets is what a run would see."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands.data_configs import loader, write_config
from imagenet_folder import make_imagenet_folder, truncate
from made_up_cifar import write_cifar10
from PIL import Image

from binssl.datasets import CIFAR10, BankAndQuery, Digits, ImageNet

ROOT = Path(__file__).parents[2]
DIGITS = str(ROOT / 'configs' / 'selfsup' / 'moco' / 'reactnet_digits')
VIEW = [dict(type='torchvision/RandomResizedCrop', size=48), dict(type='torchvision/RandomHorizontalFlip')]


def run_tool(monkeypatch: Any, *arguments: str) -> int:
    monkeypatch.setattr(sys, 'argv', ['browse_dataset.py', *arguments])
    try:
        runpy.run_path(str(ROOT / 'tools' / 'browse_dataset.py'), run_name='__main__')
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def record_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / 'contact_sheet.json').read_text())


def shown(folder: Path, sample: dict, place: int, size: tuple[int, int]) -> np.ndarray:
    """The pixels (H, W, 3) that stand in a box of a sheet, of a picture of (width, height)."""
    part = np.asarray(Image.open(folder / sample['sheet']).crop(sample['boxes'][place]))
    factor = part.shape[1] // size[0]
    assert part.shape == (factor * size[1], factor * size[0], 3)
    return part[::factor, ::factor]


def check_views(folder: Path, dataset: Any, epoch: int = 0) -> None:
    """Each sample of the record has the data set's views and label."""
    for sample in record_of(folder)['samples']:
        expected = dataset[(sample['index'], epoch)]
        assert sample['label'] == expected['labels']
        assert len(sample['boxes']) == 1 + len(expected['images'])
        for place, view in enumerate(expected['images'], 1):
            pixels = shown(folder, sample, place, (view.shape[2], view.shape[1]))
            assert (pixels == view.permute(1, 2, 0).numpy()).all()


def test_digits_with_both_views_in_any_epoch(monkeypatch, tmp_path, capsys):
    assert run_tool(monkeypatch, DIGITS, '--out', str(tmp_path / 'out'), '--images', '5', '--epoch', '3') == 0
    assert capsys.readouterr().out == f'{tmp_path}/out/contact_sheet_01.png\n'
    record = record_of(tmp_path / 'out')
    assert [sample['file'] for sample in record['samples']] == [
        f'Digits train {index}' for index in (0, 359, 718, 1077, 1436)
    ]
    view = dict(type='DigitsAugment', degrees=20.0, translate=0.2, scale=(0.8, 1.2), shear=10.0)
    check_views(tmp_path / 'out', Digits('train', [view] * 2), epoch=3)
    plain = Digits('train')
    for sample in record['samples']:
        pixels = shown(tmp_path / 'out', sample, 0, (8, 8))
        assert (pixels == plain[sample['index']]['images'][0].permute(1, 2, 0).numpy()).all()


def test_a_folder_of_photos_by_file_and_class(monkeypatch, tmp_path):
    root = make_imagenet_folder(tmp_path / 'imagenet', train=6, val=3, classes=3)
    settings = dict(split='train', root=str(root), source='folder', labeled=True, views=[VIEW, VIEW])
    config = write_config(tmp_path, train_dataloader=loader(dict(type='ImageNet', **settings)), randomness=dict(seed=5))
    assert run_tool(monkeypatch, config, '--out', str(tmp_path / 'out')) == 0
    samples = record_of(tmp_path / 'out')['samples']
    files = sorted(path.relative_to(root / 'train').as_posix() for path in (root / 'train').glob('*/*'))
    assert [sample['file'] for sample in samples] == files
    assert [sample['class_name'] for sample in samples] == [file.split('/')[0] for file in files]
    check_views(tmp_path / 'out', ImageNet(**settings, seed=5))
    original = shown(tmp_path / 'out', samples[4], 0, (80, 60))
    assert (original == np.asarray(Image.open(root / 'train' / files[4]))).all()


def test_many_images_fill_several_sheets_which_force_replaces(monkeypatch, tmp_path, capsys):
    write_cifar10(tmp_path / 'cifar', images=15, test_images=5)
    dataset = dict(type='CIFAR10', root=str(tmp_path / 'cifar'), views=[dict(type='PhotoFlip')])
    config = write_config(tmp_path, train_dataloader=loader(dataset))
    out = tmp_path / 'out'
    monkeypatch.setattr('binssl.data_tools.browse.SHEET_ROWS', 1)
    assert run_tool(monkeypatch, config, '--out', str(out), '--images', '99') == 0
    sheets = [sample['sheet'] for sample in record_of(out)['samples']]
    assert (len(sheets), set(sheets)) == (15, {path.name for path in out.glob('*.png')})
    assert len(set(sheets)) == 3  # five samples to a row
    check_views(out, CIFAR10(root=tmp_path / 'cifar', views=[dict(type='PhotoFlip')]))
    assert run_tool(monkeypatch, config, '--out', str(out), '--images', '2') == 1
    assert 'already holds contact sheets; use --force' in capsys.readouterr().err
    assert run_tool(monkeypatch, config, '--out', str(out), '--images', '2', '--force') == 0
    assert [path.name for path in out.glob('*.png')] == ['contact_sheet_01.png']


def test_bank_and_query_of_a_validation(monkeypatch, tmp_path):
    parts = dict(bank=dict(type='Digits', split='train'), query=dict(type='Digits', split='test'))
    config = write_config(tmp_path, val_dataloader=loader(dict(type='BankAndQuery', **parts)))
    assert run_tool(monkeypatch, config, '--split', 'val', '--images', '3', '--out', str(tmp_path / 'out')) == 0
    samples = record_of(tmp_path / 'out')['samples']
    assert [sample['file'] for sample in samples] == ['Digits train 0', 'Digits train 898', 'Digits test 359']
    check_views(tmp_path / 'out', BankAndQuery(**parts))


@pytest.mark.parametrize('split', ['train', 'val'])
def test_what_the_model_does_to_its_views_is_shown_in_training_only(monkeypatch, tmp_path, split):
    dataset = dict(type='Digits', views=[dict(type='DigitsAugment')] * 2)
    model = dict(
        data_preprocessor=dict(
            type='ImageNormalizer',
            mean=[10.0, 20.0, 30.0],
            std=[50.0, 60.0, 70.0],
            views=[dict(type='PhotoFlip', p=1.0), None],
        )
    )
    config = write_config(tmp_path, **{f'{split}_dataloader': loader(dataset)}, model=model)
    assert run_tool(monkeypatch, config, '--split', split, '--images', '2', '--out', str(tmp_path / 'out')) == 0
    for sample in record_of(tmp_path / 'out')['samples']:
        original, first, second = (shown(tmp_path / 'out', sample, place, (8, 8)) for place in range(3))
        assert (first == (original[:, ::-1] if split == 'train' else original)).all()
        assert (second == original).all()


def test_an_unreadable_file_is_marked_and_its_stand_in_told(monkeypatch, tmp_path):
    root = make_imagenet_folder(tmp_path / 'imagenet', train=6, val=3, classes=3)
    bad = sorted((root / 'train').glob('*/*'))[2]
    truncate(bad)
    dataset = dict(type='ImageNet', root=str(root), views=[VIEW], most_bad_fraction=0.5)
    config = write_config(tmp_path, train_dataloader=loader(dataset))
    assert run_tool(monkeypatch, config, '--out', str(tmp_path / 'out')) == 0
    samples = record_of(tmp_path / 'out')['samples']
    assert [sample['file'] for sample in samples if not sample['readable']] == [f'{bad.parent.name}/{bad.name}']


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--split', 'val'], 'the config has no val_dataloader; --split can be train here'),
        (['--images', '0'], '--images 0 must be at least 1'),
        (['--cfg-options', 'train_dataloader.dataset.split=fitt'], "no split 'fitt'; did you mean 'fit'"),
        (
            ['--cfg-options', 'train_dataloader.dataset.type=Digit'],
            "no dataset is called 'Digit'; did you mean 'Digits'",
        ),
        (['--cfg-options', 'train_dataloader.dataset.seed=x'], "dataset Digits: seed is 'x'; it must be int"),
    ],
)
def test_bad_input_is_one_sentence(monkeypatch, tmp_path, capsys, arguments, message):
    config = write_config(tmp_path, train_dataloader=loader(dict(type='Digits')))
    assert run_tool(monkeypatch, config, '--out', str(tmp_path / 'out'), *arguments) == 1
    errors = capsys.readouterr().err
    assert errors.startswith('error: ')
    assert message in errors
    assert 'Traceback' not in errors
    assert not (tmp_path / 'out').exists()
