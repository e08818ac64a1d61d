"""The number of classes that a config leaves to the training data, and data of too few."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from binssl.engine.preflight_data import check_labels, settle_classes
from binssl.registry import DATASETS, ConfigError


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
