"""A few per cent of the labels: the same share of every class, the same images in every run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from imagenet_folder import make_imagenet_folder

from binssl.data_tools.lists import write_subset
from binssl.datasets.subsets import draw_places
from binssl.registry import DATASETS, ConfigError, DataError

DIGITS = dict(type='Digits', split='fit', views=[dict(type='DigitsAugment', degrees=10.0)])


def few(percent: float, **options):
    return DATASETS.build(dict(type='FewLabels', dataset=DIGITS, percent=percent, **options))


def test_every_class_has_its_share():
    labels = np.repeat(np.arange(4), [10, 200, 55, 35])
    places = draw_places(labels, 10)
    assert len(places) == 30  # a tenth of 300
    assert np.bincount(labels[places]).tolist() == [1, 20, 6, 3]  # 1, 20, 5.5, 3.5: what is left goes to the first
    assert (np.diff(places) > 0).all()


def test_one_per_cent_lies_within_ten():
    labels = np.repeat(np.arange(4), 100)
    assert set(draw_places(labels, 1)) <= set(draw_places(labels, 10))
    assert set(draw_places(labels, 10)) != set(draw_places(labels, 10, draw=1))


def test_samples_are_the_sets_own():
    subset, whole = few(10, seed=3), DATASETS.build(dict(DIGITS, seed=3))
    assert len(subset) == 115
    assert subset.num_classes == 10
    given = subset.__getitems__([(0, 2), (7, 2)])
    same = whole.__getitems__([(int(subset.places[0]), 2), (int(subset.places[7]), 2)])
    assert torch.equal(given['images'][0], same['images'][0])
    assert torch.equal(given['labels'], same['labels'])
    assert given['indices'].tolist() == [0, 7]
    assert subset.labels.tolist() == whole.labels[subset.places].tolist()


@pytest.mark.parametrize('percent', [0, 100, -1, '10', True])
def test_percentage_out_of_range_is_refused(percent):
    for config in (dict(type='FewLabels', dataset=DIGITS), dict(type='ImageNetSubset')):
        with pytest.raises(ConfigError, match=f'percent .*{percent}.* must (lie above 0 and below 100|be float)'):
            DATASETS.build(dict(config, percent=percent))


def test_set_of_files_is_refused(tmp_path):
    make_imagenet_folder(tmp_path)
    files = dict(type='ImageFolder', folder=str(tmp_path / 'train'))
    with pytest.raises(ConfigError, match='images and labels in memory'):
        DATASETS.build(dict(type='FewLabels', percent=50, dataset=files))


def test_list_of_imagenet_is_read_and_missed(tmp_path: Path) -> None:
    make_imagenet_folder(tmp_path)
    config = dict(type='ImageNetSubset', root=str(tmp_path), percent=10)
    with pytest.raises(DataError, match=r'train_labeled_10percent\.txt.*subsets\.py ROOT --percent 10'):
        DATASETS.build(config)
    write_subset(tmp_path, 10)
    made = json.loads((tmp_path / 'meta' / 'train_labeled_10percent.json').read_text())
    subset = DATASETS.build(config)
    assert len(subset) == made['images'] < made['of']
    assert subset.num_classes == 1000
    assert (subset.index.labels >= 0).all()
