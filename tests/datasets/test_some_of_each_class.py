"""At most so many images of each class of another set."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_up_voc07 import write_voc07

from binssl.datasets import Digits, SomeOfEachClass, whole_batch
from binssl.datasets.subsets import choose
from binssl.registry import ConfigError, DataError

DIGITS = dict(type='Digits', split='test')


def test_each_class_has_so_many_or_all_it_has():
    labels = np.array([2] * 7 + [0] * 2 + [5] * 30)
    places = choose(labels, 5)
    assert places.tolist() == sorted(set(places))
    assert [(labels[places] == label).sum() for label in (0, 2, 5)] == [2, 5, 5]
    assert choose(labels, 5).tolist() == places.tolist()
    assert len({tuple(choose(labels, 5, draw)) for draw in range(5)}) == 5
    assert choose(labels, 100).tolist() == list(range(39))


def test_samples_and_batches_are_those_of_the_other_set():
    some, whole = SomeOfEachClass(DIGITS, 4), Digits('test')
    assert len(some) == 40
    batch = whole_batch(some.__getitems__([3, (5, 1)]))
    for row, index in enumerate((3, 5)):
        sample, original = some[index], whole[int(some.places[index])]
        assert torch.equal(sample['images'][0], original['images'][0])
        assert torch.equal(batch['images'][0][row], original['images'][0])
        assert sample['labels'] == original['labels'] == batch['labels'][row] == some.labels[index]
        assert sample['indices'] == batch['indices'][row] == index
    with pytest.raises(IndexError):
        some[40]


def test_files_are_read_by_their_places(shared_imagenet):
    config = dict(type='ImageNet', root=str(shared_imagenet), split='train', labeled=True)
    some = SomeOfEachClass(config, 3)
    assert np.bincount(some.labels).tolist() == [3, 3, 3, 3]
    batch = whole_batch(some.__getitems__([0, 11]))
    assert batch['labels'].tolist() == [some[0]['labels'], some[11]['labels']] == some.labels[[0, 11]].tolist()
    assert batch['indices'].tolist() == [0, 11]


def test_another_choice_is_other_data():
    prints = {SomeOfEachClass(DIGITS, *choice).fingerprint() for choice in ((3,), (4,), (4, 1))}
    assert len(prints) == 3


def test_bad_input_is_an_error(tmp_path, shared_imagenet):
    with pytest.raises(ConfigError, match='per_class is 0'):
        SomeOfEachClass(DIGITS, 0)
    with pytest.raises(ConfigError, match='one class each'):
        SomeOfEachClass(dict(type='VOC07', split='test', root=str(write_voc07(tmp_path / 'VOCdevkit', 4, 4))), 2)
    with pytest.raises(DataError, match='64 of 64 images of Unlabeled have no label'):
        SomeOfEachClass(dict(type='Unlabeled', folder=str(shared_imagenet)), 2)
