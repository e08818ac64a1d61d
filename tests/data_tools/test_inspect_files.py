"""What an image file holds, and what is wrong with it."""

from __future__ import annotations

import os

import numpy as np
import pytest
from imagenet_folder import truncate
from PIL import Image

from binssl.data_tools.read_all import inspect_files


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

    def refuse(path, **_):
        raise PermissionError(13, 'Permission denied', path)

    monkeypatch.setattr(Image, 'open', refuse)
    assert inspect_files([str(tmp_path / 'a.jpg')])[0].problem == 'this user may not read it'


@pytest.mark.parametrize(('min_side', 'good'), [(30, True), (31, False)])
def test_a_picture_smaller_than_asked_for_is_bad(photo, tmp_path, min_side, good):
    photo.save(tmp_path / 'a.png')
    [facts] = inspect_files([str(tmp_path / 'a.png')], min_side)
    assert facts.problem == (None if good else '40 x 30 px, a side is shorter than 31')
