"""Pascal VOC: lists and targets as its own files say."""

from pathlib import Path

import numpy as np
import pytest

from binssl.data_tools.lists import write_voc_lists
from binssl.datasets import ImageList
from binssl.datasets.voc import CLASSES
from binssl.registry import DataError

#: which classes are in each image: 1, or 0 where only as difficult; all others are -1
IMAGES = {
    ('VOC2007', 'trainval'): {'000005': {'chair': 1}, '000007': {'car': 1, 'person': 0}, '000009': {'horse': 1}},
    ('VOC2007', 'test'): {'000001': {'dog': 1, 'person': 1}, '000002': {'train': 1}},
    ('VOC2012', 'trainval'): {'2008_000002': {'tvmonitor': 1}, '2008_000003': {'train': 1, 'person': 0}},
}


@pytest.fixture
def devkit(tmp_path: Path) -> Path:
    """VOCdevkit with empty images and annotations, and lists written as published."""
    root = tmp_path / 'VOCdevkit'
    for (year, split), images in IMAGES.items():
        sets = root / year / 'ImageSets' / 'Main'
        for folder in (sets, root / year / 'JPEGImages', root / year / 'Annotations'):
            folder.mkdir(parents=True, exist_ok=True)
        (sets / f'{split}.txt').write_text(''.join(f'{name}\n' for name in images))
        for place, name in enumerate(CLASSES):
            # one order is as good as another: the numbers follow the names
            order = list(images)[:: 1 if place % 2 else -1]
            lines = [f'{image} {images[image].get(name, -1):2d}\n' for image in order]
            (sets / f'{name}_{split}.txt').write_text(''.join(lines))
        for image in images:
            (root / year / 'JPEGImages' / f'{image}.jpg').touch()
            (root / year / 'Annotations' / f'{image}.xml').touch()
    return root


def expected_targets(*parts: tuple[str, str]) -> np.ndarray:
    rows = [[there.get(name, -1) for name in CLASSES] for part in parts for there in IMAGES[part].values()]
    return np.array(rows, dtype=np.int8)


def test_lists_and_targets_are_those_of_the_files(devkit, tmp_path):
    write_voc_lists(devkit, tmp_path / 'lists')
    trainval07, trainval12 = ('VOC2007', 'trainval'), ('VOC2012', 'trainval')
    for name, parts in (
        ('voc07_trainval', [trainval07]),
        ('voc07_test', [('VOC2007', 'test')]),
        ('voc12_trainval', [trainval12]),
        ('voc0712_trainval', [trainval07, trainval12]),
    ):
        lines = (tmp_path / 'lists' / f'{name}.txt').read_text().splitlines()
        assert lines == [f'{part[0]}/JPEGImages/{image}.jpg' for part in parts for image in IMAGES[part]]
        targets = np.load(tmp_path / 'lists' / f'{name}_targets.npy')
        assert targets.dtype == np.int8
        np.testing.assert_array_equal(targets, expected_targets(*parts))
    assert (tmp_path / 'lists/classes.txt').read_text().split() == list(CLASSES)
    assert len(ImageList(tmp_path / 'lists/voc0712_trainval.txt', devkit)) == 5


def test_numbers_that_are_not_the_published_ones_are_told(devkit, tmp_path):
    lines = write_voc_lists(devkit, tmp_path / 'lists')
    assert 'warning: trainval of VOC2012 names 2 images, the published one 11,540' in lines


def test_a_second_run_keeps_and_overwrites_nothing_unasked(devkit, tmp_path):
    write_voc_lists(devkit, tmp_path / 'lists')
    lines = write_voc_lists(devkit, tmp_path / 'lists')
    assert all(line.startswith(('kept ', 'warning: ')) for line in lines)
    (tmp_path / 'lists/voc07_test_targets.npy').write_bytes(b'mine')
    with pytest.raises(DataError, match=r"voc07_test_targets\.npy' is there already"):
        write_voc_lists(devkit, tmp_path / 'lists')
    write_voc_lists(devkit, tmp_path / 'lists', overwrite=True)
    assert np.load(tmp_path / 'lists/voc07_test_targets.npy').shape == (2, 20)


def test_one_year_alone_is_listed_and_said(devkit, tmp_path):
    (devkit / 'VOC2012').rename(tmp_path / 'away')
    lines = write_voc_lists(devkit, tmp_path / 'lists')
    assert lines[-1] == 'note: no VOC2012 trainval there, so no list of it'
    assert not (tmp_path / 'lists/voc0712_trainval.txt').exists()


def test_another_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match='expected is the folder VOCdevkit'):
        write_voc_lists(tmp_path, tmp_path / 'lists')


@pytest.mark.parametrize('file', ['JPEGImages/000007.jpg', 'Annotations/000007.xml'])
def test_a_missing_file_is_an_error(devkit, tmp_path, file):
    (devkit / 'VOC2007' / file).unlink()
    with pytest.raises(DataError, match=r'lacks 1 of the 3 files of trainval.*000007.*VOCdevkit/VOC2007 is whole'):
        write_voc_lists(devkit, tmp_path / 'lists')
    assert not (tmp_path / 'lists').exists()


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('000005 -1\n000007 2\n000009 -1\n', "line 2: '000007 2' should be ID and 1, 0 or -1"),
        ('000005\n', "line 1: '000005' should be ID and 1, 0 or -1"),
        ('000005 -1\n\n000007 1\n', "has no line for '000009'"),
    ],
)
def test_a_malformed_class_file_is_an_error(devkit, tmp_path, text, message):
    (devkit / 'VOC2007/ImageSets/Main/sheep_trainval.txt').write_text(text)
    with pytest.raises(DataError, match=message):
        write_voc_lists(devkit, tmp_path / 'lists')


def test_a_missing_class_file_is_an_error(devkit, tmp_path):
    (devkit / 'VOC2007/ImageSets/Main/sheep_test.txt').unlink()
    with pytest.raises(DataError, match=r'there is no .*sheep_test\.txt'):
        write_voc_lists(devkit, tmp_path / 'lists')
