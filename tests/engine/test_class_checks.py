"""Class folders, head and validation that do not fit together are told before the first iteration."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine.runs import build, classifier, moco, run
from mmengine.config import Config
from PIL import Image

from binssl.registry import ConfigError


def photos(folder: Path, classes: str, views: int = 1) -> dict:
    """The config of a set with two images in each class folder; folders are called by single letters."""
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(2):
            Image.new('RGB', (8, 8), (20 * label, 40 * number, 0)).save(folder / name / f'{number}.png')
    return dict(type='ImageFolder', folder=str(folder), views=[[]] * views)


def config(folder: Path, train: str, val: str, make=classifier, views: int = 1, **more) -> Config:
    """A run of one epoch, validated at its end."""
    validation = dict(
        val_dataloader=dict(
            batch_size=4,
            num_workers=0,
            sampler=dict(type='EpochSampler', shuffle=False),
            dataset=photos(folder / 'val', val),
        ),
        val_cfg=dict(),
        val_evaluator=[dict(type='Accuracy')],
    )
    cfg = make(folder, epochs=1, batch=4, **validation, **more)
    cfg.train_dataloader.dataset = photos(folder / 'train', train, views)
    cfg.train_dataloader.collate_fn = dict(type='default_collate')
    return cfg


def message(cfg: Config) -> str:
    """What is said when the loop is built: no iteration has been run."""
    with pytest.raises(ConfigError) as caught:
        build(cfg).train_loop  # noqa: B018  # it is built when it is asked for
    return str(caught.value)


def test_validation_on_other_class_folders(tmp_path):
    answer = message(config(tmp_path, 'abcdef', 'abcxyz', model__head__num_classes=6))
    assert "label 3 is 'd' in train_dataloader.dataset and 'x' in val_dataloader.dataset" in answer
    assert 'Give both the same class folders' in answer


def test_validation_that_lacks_a_class_folder(tmp_path):
    answer = message(config(tmp_path, 'abcdef', 'abcde', model__head__num_classes=6))
    assert "label 5 is 'f' in train_dataloader.dataset and none in val" in answer


def test_more_class_folders_than_the_head_has_scores(tmp_path):
    answer = message(config(tmp_path, 'abcdef', 'abcdef', model__head__num_classes=4))
    assert 'the training data have 6 classes, the head 4: change model.head.num_classes' in answer


def test_images_without_labels_are_nothing_to_learn_from(tmp_path):
    cfg = config(tmp_path, 'abcdef', 'abcdef', model__head__num_classes=6)
    cfg.train_dataloader.dataset = dict(type='Unlabeled', folder=str(tmp_path / 'train'), views=[[]])
    assert '12 of the 12 training images have no label' in message(cfg)


def test_what_fits_is_trained_and_validated(tmp_path):
    runner = run(config(tmp_path, 'abcdef', 'abcdef', model__head__num_classes=6))
    assert runner.iter == 3


def test_validation_on_another_number_of_classes(tmp_path):
    cfg = config(tmp_path, 'abcdef', 'abc', model__head__num_classes=10)
    cfg.val_dataloader.dataset = dict(type='Digits', split='test')
    cfg.val_dataloader.collate_fn = dict(type='whole_batch')
    answer = message(cfg)
    assert 'train_dataloader.dataset has 6 classes and val_dataloader.dataset 10' in answer


def test_a_method_without_labels_may_train_on_any_classes(tmp_path):
    runner = build(config(tmp_path, 'abcdef', 'abcxyz', make=moco, views=2, model__queue_length=8))
    assert runner.train_loop.epoch_length == 3
