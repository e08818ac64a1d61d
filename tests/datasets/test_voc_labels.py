"""VOC 2007 with the classes of each image, from VOC's own files and from the prepared lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from made_up_voc07 import write_voc07
from torch.utils.data import DataLoader

from binssl.data_tools.lists import write_voc_lists
from binssl.datasets import VOC07, whole_batch
from binssl.datasets.voc import CLASSES
from binssl.registry import DATASETS, ConfigError, DataError

PHOTO_VIEW = [[dict(type='PhotoResize', size=32), dict(type='PhotoCenterCrop', size=32)]]


@pytest.fixture(scope='module')
def devkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be changed."""
    return write_voc07(tmp_path_factory.mktemp('voc') / 'VOCdevkit', trainval=20, test=10)


def targets_by_loop(devkit: Path, split: str) -> tuple[list[str], list[list[int]]]:
    sets = devkit / 'VOC2007/ImageSets/Main'
    names = (sets / f'{split}.txt').read_text().split()
    columns = [
        dict(line.split() for line in (sets / f'{label}_{split}.txt').read_text().splitlines()) for label in CLASSES
    ]
    return names, [[int(column[name]) for column in columns] for name in names]


@pytest.mark.parametrize('split', ['trainval', 'test'])
@pytest.mark.parametrize('lists', [False, True])
def test_images_and_targets_are_those_of_the_files(devkit, tmp_path, split, lists):
    if lists:  # the lists alone do
        root = tmp_path / 'VOCdevkit'
        write_voc_lists(devkit, root / 'lists')
        (root / 'VOC2007').mkdir()
        (root / 'VOC2007/JPEGImages').symlink_to(devkit / 'VOC2007/JPEGImages')
        devkit_used = root
    else:
        devkit_used = devkit
    names, rows = targets_by_loop(devkit, split)
    data = VOC07(split, devkit_used)
    assert data.labels.dtype == np.int8
    assert data.labels.tolist() == rows
    assert [Path(data.index.path(place)).stem for place in range(len(data))] == names
    assert [data[place]['labels'].tolist() for place in range(len(data))] == rows
    assert set(np.unique(data.labels)) == {-1, 0, 1}


@pytest.mark.parametrize('views', [None, PHOTO_VIEW])
def test_batches_have_a_row_of_targets_an_image(devkit, views):
    data = VOC07('test', devkit, views)
    batch = next(iter(DataLoader(data, batch_size=4, collate_fn=whole_batch)))
    assert torch.equal(batch['labels'], torch.from_numpy(data.labels[:4]))
    assert batch['labels'].dtype == torch.int8
    assert len(batch['images'][0]) == 4


def test_an_image_that_replaces_a_bad_one_brings_its_own_targets(tmp_path):
    data = VOC07('test', write_voc07(tmp_path / 'VOCdevkit', 10, 10))
    Path(data.index.path(3)).write_bytes(b'no image')
    sample = data[3]
    source = data.read(3, 0)[2]
    assert source != 3
    assert sample['labels'].tolist() == data.labels[source].tolist()
    assert sample['indices'] == 3


def test_other_targets_make_other_data(devkit):
    data = VOC07('test', devkit)
    before = data.fingerprint()
    assert VOC07('test', devkit).fingerprint() == before
    data.labels[0, 0] *= -1
    assert data.fingerprint() != before


def test_bank_and_query_are_of_the_same_classes(devkit):
    parts = (dict(type='VOC07', split=split, root=str(devkit)) for split in ('trainval', 'test'))
    data = DATASETS.build(dict(type='BankAndQuery', **dict(zip(('bank', 'query'), parts, strict=True))))
    assert len(data) == 30
    assert data.bank.classes == list(CLASSES)


def test_what_is_not_there_is_said_with_what_is_expected(devkit, tmp_path):
    with pytest.raises(DataError, match=r'no VOC07: there is no folder .*nowhere.*VOCtrainval_06-Nov-2007'):
        VOC07(root=tmp_path / 'nowhere')
    with pytest.raises(DataError, match=r'neither VOC2007/ImageSets/Main/trainval.txt nor lists/voc07_trainval.txt'):
        VOC07(root=tmp_path)
    with pytest.raises(ConfigError, match="VOC07 has no split 'val'"):
        VOC07('val', devkit)


@pytest.mark.parametrize(
    ('targets', 'message'),
    [
        (np.ones((9, 20), np.int8), r'holds targets \(9, 20\), for 10 images'),
        (np.ones((10, 19), np.int8), r'holds targets \(10, 19\)'),
        (np.full((10, 20), 2), 'other targets than 1, 0 and -1'),
        (None, 'cannot be used'),
    ],
)
def test_targets_that_do_not_match_their_list_are_an_error(devkit, tmp_path, targets, message):
    root = tmp_path / 'VOCdevkit'
    write_voc_lists(devkit, root / 'lists')
    (root / 'VOC2007').symlink_to(devkit / 'VOC2007')
    file = root / 'lists/voc07_test_targets.npy'
    file.write_bytes(b'no array') if targets is None else np.save(file, targets)
    with pytest.raises(DataError, match=message + '.*prepare_data/voc.py'):
        VOC07('test', root)
