"""The originals of samples, whatever the data set, and what an image file holds."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from imagenet_folder import truncate
from made_up_voc07 import write_voc07
from made_up_voc_boxes import make_devkit
from PIL import Image
from sklearn.datasets import load_digits

from binssl.data_tools.read_all import inspect_files
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


@pytest.fixture
def photo() -> Image.Image:
    pixels = np.random.RandomState(0).randint(0, 256, (30, 40, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def turned(photo, file):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save(file, exif=exif)


@pytest.mark.parametrize(
    ('name', 'save', 'mode', 'kind', 'remark'),
    [
        ('plain.JPEG', lambda photo, file: photo.save(file), 'RGB', 'JPEG', None),
        ('cmyk.jpg', lambda photo, file: photo.convert('CMYK').save(file), 'CMYK', 'JPEG', 'made RGB from mode CMYK'),
        ('gray.jpg', lambda photo, file: photo.convert('L').save(file), 'L', 'JPEG', 'grayscale'),
        ('palette.png', lambda photo, file: photo.convert('P').save(file), 'P', 'PNG', 'made RGB from mode P'),
        ('deep.png', lambda photo, file: Image.new('I;16', (40, 30)).save(file), 'I;16', 'PNG', 'more than 8 bits'),
        (
            'film.tif',
            lambda photo, file: photo.save(file, save_all=True, append_images=[photo]),
            'RGB',
            'TIFF',
            'frames',
        ),
        ('turned.jpg', turned, 'RGB', 'JPEG', 'turned upright'),
        ('other.jpg', lambda photo, file: photo.save(file, format='PNG'), 'RGB', 'PNG', 'named as JPEG, holds PNG'),
    ],
)
def test_unusual_files_are_good_and_remarked_on(photo, tmp_path, name, save, mode, kind, remark):
    save(photo, tmp_path / name)
    [facts] = inspect_files([str(tmp_path / name)])
    assert (facts.problem, facts.mode, facts.kind, facts.size) == (None, mode, kind, (40, 30))
    assert len(facts.remarks) == (remark is not None)
    assert remark is None or remark in facts.remarks[0]


@pytest.mark.parametrize(
    ('make', 'problem'),
    [
        (lambda file: file.write_bytes(b''), 'an empty file'),
        (lambda file: file.write_bytes(b'no picture at all'), 'no image of a known format'),
        (lambda file: os.symlink('/nowhere/at/all', file), "a link to '/nowhere/at/all', where nothing is"),
        (lambda file: None, 'not there any more'),
        (lambda file: file.mkdir(), 'Is a directory'),
    ],
)
def test_bad_files_say_what_is_wrong(tmp_path, make, problem):
    make(tmp_path / 'a.jpg')
    [facts] = inspect_files([str(tmp_path / 'a.jpg')])
    assert problem in facts.problem


def test_a_truncated_photo_is_bad_and_its_size_known(photo, tmp_path):
    photo.save(tmp_path / 'a.jpg')
    truncate(tmp_path / 'a.jpg', 0.7)
    [facts] = inspect_files([str(tmp_path / 'a.jpg')])
    assert 'truncated' in facts.problem
    assert facts.size == (40, 30)


def test_a_file_that_one_may_not_read_says_so(photo, tmp_path, monkeypatch):
    photo.save(tmp_path / 'a.jpg')

    def refuse(path):
        raise PermissionError(13, 'Permission denied', path)

    monkeypatch.setattr(Image, 'open', refuse)
    assert inspect_files([str(tmp_path / 'a.jpg')])[0].problem == 'this user may not read it'


@pytest.mark.parametrize(('min_side', 'good'), [(30, True), (31, False)])
def test_a_picture_smaller_than_asked_for_is_bad(photo, tmp_path, min_side, good):
    photo.save(tmp_path / 'a.png')
    [facts] = inspect_files([str(tmp_path / 'a.png')], min_side)
    assert facts.problem == (None if good else '40 x 30 px, a side is shorter than 31')
