"""Linear evaluation, finetuning and transfer by the configs that users type, on made-up sets in their real form."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from binssl.checkpoints import load_model, write_checkpoint
from binssl.engine.training import parse_training, train
from binssl.registry import DATASETS, ConfigError

BENCHMARKS = 'configs/benchmarks'
COLOURS = np.array([[220, 40, 40], [40, 220, 40], [40, 40, 220], [200, 200, 40]])


def last_validation(run: Path) -> dict[str, float]:
    """The numbers of the last validation in a run's log."""
    (log,) = run.glob('*/vis_data/scalars.json')
    return [values for values in map(json.loads, log.read_text().splitlines()) if 'val_top1' in values][-1]


def write_colours(root: Path, planted: bool) -> Path:
    """A folder of train/ and test/, four classes; an image is its class's colour with noise, or any class's."""
    draw = np.random.RandomState(0)
    for split, images in (('train', 64), ('test', 128)):
        for place in range(images):
            label = place % 4
            colour = COLOURS[label if planted else draw.randint(4)]
            pixels = np.clip(colour + draw.normal(0, 20, (12, 12, 3)), 0, 255).astype(np.uint8)
            path = root / split / f'class{label}' / f'{place}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return root


@pytest.mark.parametrize('protocol', ['linear', 'finetune'])
@pytest.mark.parametrize('planted', [True, False], ids=['planted', 'shuffled'])
def test_planted_classes_are_found_and_shuffled_ones_are_not(protocol, planted, weights, tmp_path, monkeypatch):
    monkeypatch.setenv('DATA_ROOT', str(write_colours(tmp_path / 'colours', planted)))
    sizes = [f'{name}_dataloader.{key}' for name in ('train', 'val') for key in ('num_workers=0', 'batch_size=16')]
    train(
        parse_training(
            [
                f'{BENCHMARKS}/transfer/folder_{protocol}.py',
                '--pretrained',
                str(weights),
                '--work-dir',
                str(tmp_path / 'run'),
                '--cfg-options',
                *sizes,
                'global_batch_size=16',
                'train_dataloader.dataset.views.0.0.size=8',
                'val_dataloader.dataset.views.0.0.size=8',
                'val_dataloader.dataset.views.0.1.size=8',
                'train_cfg.max_epochs=8',
                'schedules=none',
                'train_cfg.val_interval=8',
                'default_hooks.checkpoint.interval=8',
                f'experiment_name={protocol}_{planted}',
            ]
        )
    )
    top1 = last_validation(tmp_path / 'run')['val_top1']
    assert top1 >= 99 if planted else 10 < top1 < 40
    assert load_model(tmp_path / 'run' / 'latest.pth').head.out_channels == 4


def test_a_missing_weights_file_is_all_that_is_told() -> None:
    arguments = [f'{BENCHMARKS}/linear_classification/digits.py', '--pretrained', 'nowhere.pth', '--check', '1']
    with pytest.raises(ConfigError, match=r'^pretrained is missing: nowhere\.pth$'):
        train(parse_training(arguments))


def test_probe_is_within_a_point_of_scikit_learns_logistic_regression(weights, tmp_path):
    linear_model = pytest.importorskip('sklearn.linear_model')
    train(
        parse_training(
            [
                f'{BENCHMARKS}/linear_classification/digits.py',
                '--pretrained',
                str(weights),
                '--work-dir',
                str(tmp_path / 'run'),
                '--cfg-options',
                'default_hooks.checkpoint.interval=50',
            ]
        )
    )
    model, features, labels = load_model(weights), {}, {}
    for split in ('train', 'test'):
        dataset = DATASETS.build(dict(type='Digits', split=split))
        batch = model.data_preprocessor(dataset.__getitems__(list(range(len(dataset)))))
        with torch.no_grad():
            features[split] = model.extract(batch['images'][0]).double().numpy()
        labels[split] = dataset.labels
    mean, deviation = features['train'].mean(0), features['train'].std(0)
    scaled = {split: (rows - mean) / deviation for split, rows in features.items()}
    oracle = linear_model.LogisticRegression(C=1.0, max_iter=3000).fit(scaled['train'], labels['train'])
    wanted = 100 * oracle.score(scaled['test'], labels['test'])
    assert abs(last_validation(tmp_path / 'run')['val_top1'] - wanted) <= 1, wanted


@pytest.mark.parametrize(
    ('config', 'words'),
    [
        (f'{BENCHMARKS}/linear_classification/digits.py', 'it does not say which model it holds'),
        (f'{BENCHMARKS}/semi_classification/digits_1percent.py', 'it does not say which model it holds'),
    ],
)
def test_file_of_others_is_refused(config, words, tmp_path):
    torch.save({'state_dict': {'conv1.weight': torch.zeros(1)}}, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match=words):
        train(parse_training([config, '--pretrained', str(tmp_path / 'other.pth'), '--check', '1']))


def test_file_without_a_trunk_is_refused(tmp_path):
    meta = dict(model=json.dumps(dict(type='Encoder')))
    write_checkpoint({'format_version': 1, 'state_dict': {}, 'meta': meta}, tmp_path / 'trunkless.pth')
    with pytest.raises(ConfigError, match=r'trunkless\.pth has no trunk to start from'):
        train(
            parse_training(
                [
                    f'{BENCHMARKS}/linear_classification/digits.py',
                    '--pretrained',
                    str(tmp_path / 'trunkless.pth'),
                    '--check',
                    '1',
                ]
            )
        )


def test_weights_that_are_not_given_are_asked_for():
    with pytest.raises(ConfigError, match='name it with --pretrained WEIGHTS'):
        train(parse_training([f'{BENCHMARKS}/linear_classification/digits.py', '--check', '1']))


def test_weights_of_another_backbone_are_refused(weights):
    with pytest.raises(ConfigError, match='holds another network than the config: backbone'):
        train(
            parse_training(
                [
                    f'{BENCHMARKS}/semi_classification/digits_10percent.py',
                    '--pretrained',
                    str(weights),
                    '--check',
                    '1',
                    '--cfg-options',
                    'model.backbone=dict(type="Pixels")',
                ]
            )
        )


def test_folder_of_one_class_is_refused_before_the_run(weights, tmp_path, monkeypatch):
    path = tmp_path / 'colours' / 'train' / 'only' / '0.png'
    path.parent.mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(path)
    monkeypatch.setenv('DATA_ROOT', str(tmp_path / 'colours'))
    with pytest.raises(ConfigError, match='have 1 class'):
        train(parse_training([f'{BENCHMARKS}/transfer/folder_linear.py', '--pretrained', str(weights), '--check', '1']))
