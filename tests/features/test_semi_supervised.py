"""Semi-supervised evaluation by ImageNet's config and list, on a made-up ImageNet of four colours."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from features.test_linear_protocols import last_validation, write_colours

from binssl.data_tools.lists import write_subset
from binssl.engine.training import parse_training, train
from binssl.registry import ConfigError

CONFIG = 'configs/benchmarks/semi_classification/imagenet_10percent/lr0_01_head10.py'


def made_up_imagenet(folder: Path, planted: bool) -> Path:
    """train/, val/ and, with a half of the training images, the list of 10 %."""
    root = write_colours(folder, planted)
    os.rename(root / 'test', root / 'val')
    write_subset(root, 50)
    os.rename(root / 'meta' / 'train_labeled_50percent.txt', root / 'meta' / 'train_labeled_10percent.txt')
    return root


def arguments(root: Path, weights: Path, run: Path) -> list[str]:
    """What a user would type, with images of 8 px."""
    sizes = [
        f'{name}_dataloader.{key}'
        for name in ('train', 'val')
        for key in ('num_workers=0', 'batch_size=16', f'dataset.root={str(root)!r}', 'dataset.views.0.0.size=8')
    ]
    return [
        CONFIG,
        '--pretrained',
        str(weights),
        '--work-dir',
        str(run),
        '--cfg-options',
        *sizes,
        'val_dataloader.dataset.views.0.1.size=8',
        'global_batch_size=16',
        'train_cfg.max_epochs=20',
        'train_cfg.val_interval=20',
        'default_hooks.checkpoint.interval=20',
        f'experiment_name={run.parent.name}',
    ]


@pytest.mark.parametrize('planted', [True, False], ids=['planted', 'shuffled'])
def test_planted_classes_are_found_and_shuffled_ones_are_not(planted, weights, tmp_path):
    root = made_up_imagenet(tmp_path / 'imagenet', planted)
    train(parse_training(arguments(root, weights, tmp_path / 'run')))
    top1 = last_validation(tmp_path / 'run')['val_top1']
    assert top1 >= 99 if planted else 10 < top1 < 40


def test_a_missing_list_is_told_with_how_to_write_it(weights, tmp_path):
    root = made_up_imagenet(tmp_path / 'imagenet', planted=True)
    os.remove(root / 'meta' / 'train_labeled_10percent.txt')
    with pytest.raises(ConfigError, match=r'subsets\.py ROOT --percent 10'):
        train(parse_training([*arguments(root, weights, tmp_path / 'run'), '--check', '1']))
