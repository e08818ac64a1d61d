"""The originals of samples, whatever the data set."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from imagenet_folder import truncate
from made_up_voc07 import write_voc07
from made_up_voc_boxes import make_devkit
from PIL import Image
from sklearn.datasets import load_digits

from binssl.datasets import CIFAR10, VOC07, BankAndQuery, Digits, ImageNet, InMemoryImages, VOCDetection
from binssl.registry import ConfigError


def test_digits_are_shown_as_scikit_learn_has_them():
    originals, digits = Digits('held_out'), load_digits()
    picture = np.asarray(originals.original(3))
    expected = np.rint(digits.images[1149 + 3] * 255 / 16)
    assert picture.shape == (8, 8, 3)
    assert (picture == expected[..., None]).all()
    assert (originals.name(3), originals.path(3), originals.original(3).size) == ('Digits held_out 3', None, (8, 8))
    assert originals.labels.tolist() == digits.target[1149:1437].tolist()
    assert originals.class_name(3) is None


def test_pixels_in_memory_are_shown_as_they_are(shared_cifar10):
    dataset = CIFAR10('test', shared_cifar10)
    originals = dataset
    assert (np.asarray(originals.original(7)).transpose(2, 0, 1) == dataset.images[7].numpy()).all()
    assert (originals.name(7), originals.num_classes) == ('CIFAR10 test 7', 10)


def test_a_set_without_splits_is_named_by_its_type():
    dataset = InMemoryImages(torch.zeros(2, 3, 4, 6, dtype=torch.uint8), torch.arange(2))
    assert (dataset.name(1), dataset.original(1).size) == ('InMemoryImages 1', (6, 4))


def test_files_have_names_paths_and_classes(shared_imagenet):
    originals = ImageNet('val', shared_imagenet, source='folder', labeled=True)
    names = sorted(
        path.relative_to(shared_imagenet / 'val').as_posix() for path in (shared_imagenet / 'val').glob('*/*.JPEG')
    )
    assert [originals.name(index) for index in range(16)] == names
    assert originals.path(5) == str(shared_imagenet / 'val' / names[5])
    assert [originals.class_name(label) for label in originals.labels] == [name.split('/')[0] for name in names]
    assert originals.original(5) == Image.open(shared_imagenet / 'val' / names[5]).convert('RGB')


def test_an_original_that_cannot_be_decoded_is_none(imagenet):
    file = sorted((imagenet / 'train').glob('*/*'))[2]
    truncate(file)
    originals = ImageNet('train', imagenet, source='folder')
    assert [index for index in range(12) if originals.original(index) is None] == [2]


def test_images_of_several_classes_have_no_label(tmp_path):
    originals = VOC07('test', write_voc07(tmp_path / 'VOCdevkit', 4, 4))
    assert originals.single_labels().tolist() == [-1] * 4
    assert originals.num_classes == 20


def test_a_set_that_shows_no_originals_is_refused(tmp_path):
    data = VOCDetection([('VOC2007', 'test')], make_devkit(tmp_path, {('VOC2007', 'test'): 2}))
    with pytest.raises(ConfigError, match='VOCDetection keeps neither a list of files nor images'):
        data.original(0)


def test_indices_count_through_bank_and_query(shared_imagenet):
    part = dict(type='ImageNet', root=str(shared_imagenet), labeled=True)
    dataset = BankAndQuery(bank=dict(part, split='train'), query=dict(part, split='val'))
    originals, query = dataset, dataset.query
    assert (len(originals), originals.name(48), originals.path(48)) == (64, query.name(0), query.path(0))
    assert originals.labels.tolist() == [dataset[index]['labels'] for index in range(64)]
    with pytest.raises(IndexError, match='index 64 is not among the 64'):
        originals.name(64)


def test_a_query_in_memory_beside_a_bank_of_files(shared_imagenet):
    bank = dict(type='ImageNet', split='val', root=str(shared_imagenet), num_classes=10)
    originals = BankAndQuery(bank, dict(type='Digits', split='test'))
    assert [originals.path(index) is None for index in (15, 16)] == [False, True]
    assert (originals.path(16), originals.name(17), originals.original(16).size) == (None, 'Digits test 1', (8, 8))
