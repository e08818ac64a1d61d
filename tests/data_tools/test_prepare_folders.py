"""Folders in the making, and the cache of smaller images: exact contents, and runs that were interrupted."""

import io
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torchvision
from imagenet_folder import make_imagenet_folder, truncate
from PIL import Image
from torchvision.transforms import Resize

from binssl.core import locks
from binssl.core.files import replace_file
from binssl.data_tools import placing, resize_cache
from binssl.data_tools.resize_cache import make_cache, shorter_side
from binssl.datasets import ImageNet, Places205
from binssl.registry import ConfigError, DataError


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


# folders that are there whole or not at all


def test_two_runs_at_once_do_not_write_into_one_folder(tmp_path):
    with placing.gathering(tmp_path / 'out') as part:
        (part / 'file').touch()
        second = placing.gathering(tmp_path / 'out')
        with pytest.raises(ConfigError, match=r"another run is filling .*out\.part' now"):
            second.__enter__()
    assert os.listdir(tmp_path / 'out') == ['file']


def test_a_run_that_starts_while_another_ends_leaves_its_folder_whole(tmp_path, monkeypatch):
    """The second opens the lock that the first holds, and gets it once the first has renamed the folder."""
    first, flock, ended = placing.gathering(tmp_path / 'out'), locks.fcntl.flock, []

    def end_the_first(*given: object) -> None:
        if not ended:
            ended.append(first.__exit__(None, None, None))
        flock(*given)

    (first.__enter__() / 'file').touch()
    monkeypatch.setattr(locks.fcntl, 'flock', end_the_first)
    with pytest.raises(DataError, match=r"out' is there already and is left as it is"):
        placing.gathering(tmp_path / 'out').__enter__()
    assert ended == [False]
    assert files_below(tmp_path) == {'out/file': b''}
    assert os.listdir(tmp_path) == ['out']


def test_a_killed_run_leaves_a_lock_that_stops_nobody(tmp_path):
    (tmp_path / 'out.part').mkdir()
    (tmp_path / 'out.part/.lock').touch()
    with placing.gathering(tmp_path / 'out') as part:
        (part / 'file').touch()
    assert os.listdir(tmp_path) == ['out']


def test_two_runs_that_place_one_file_do_not_share_its_half(tmp_path):
    def write(beside: Path) -> None:
        beside.write_text('first')
        replace_file(tmp_path / 'file', lambda other: other.write_text('second'))
        assert (tmp_path / 'file').read_text() == 'second'

    replace_file(tmp_path / 'file', write)
    assert files_below(tmp_path) == {'file': b'first'}


def test_a_file_system_without_locks_will_do(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(37, 'No locks available')

    monkeypatch.setattr(locks.fcntl, 'flock', refuse)
    with placing.gathering(tmp_path / 'out') as part:
        (part / 'file').touch()
    assert os.listdir(tmp_path / 'out') == ['file']


# the cache


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """8 + 4 photos of 80 x 60 px, with lists."""
    return make_imagenet_folder(tmp_path / 'source', train=8, val=4)


@pytest.mark.parametrize('shape', [(500, 375), (375, 500), (333, 257), (257, 1000), (300, 300)])
def test_sides_are_torchvisions(shape):
    assert shorter_side(*shape, 256) == Resize(256)(Image.new('L', shape)).size


def test_pixels_are_those_of_a_resized_original(source, tmp_path):
    make_cache(source, tmp_path / 'out', size=32)
    name = 'train/n01440764/n01440764_0.JPEG'
    expected = io.BytesIO()
    Resize(32)(Image.open(source / name)).save(expected, 'JPEG', quality=95)
    found = Image.open(tmp_path / 'out' / name)
    assert found.size == (42, 32)
    np.testing.assert_array_equal(np.asarray(found), np.asarray(Image.open(expected)))


def test_the_cache_is_read_by_the_same_config(source, tmp_path):
    lines = make_cache(source, tmp_path / 'out', size=32, workers=3)
    assert lines[-1].startswith('note: training crops from this cache are not those of the originals')
    for how in ('list', 'folder'):
        data = ImageNet('train', tmp_path / 'out', source=how, labeled=True, num_classes=4)
        reference = ImageNet('train', source, source=how, labeled=True, num_classes=4)
        assert data.index.labels.tolist() == reference.index.labels.tolist()
        assert [data.index.names[n] for n in range(8)] == [reference.index.names[n] for n in range(8)]


def test_small_images_are_copied_as_they_are(source, tmp_path):
    make_cache(source, tmp_path / 'out', size=60)
    copies = files_below(tmp_path / 'out')
    assert {name: copies[name] for name in files_below(source)} == files_below(source)


def test_photos_come_out_upright_and_as_rgb(tmp_path):
    (tmp_path / 'source').mkdir()
    pixels = np.zeros((60, 90, 3), dtype=np.uint8)
    pixels[:, 45:] = 255  # bright on the right; turned by 90 degrees clockwise: at the bottom
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / 'source/turned.jpg', exif=exif)
    Image.fromarray(pixels).convert('CMYK').save(tmp_path / 'source/printed.jpg')
    make_cache(tmp_path / 'source', tmp_path / 'out', size=30)
    turned, printed = (Image.open(tmp_path / 'out' / name) for name in ('turned.jpg', 'printed.jpg'))
    assert (turned.size, turned.mode, printed.size, printed.mode) == ((30, 45), 'RGB', (45, 30), 'RGB')
    assert np.asarray(turned)[40:].mean() > 250 > 5 > np.asarray(turned)[:5].mean()
    assert np.asarray(printed)[:, 40:].mean() > 250 > 5 > np.asarray(printed)[:, :5].mean()
    assert 0x0112 not in turned.getexif()


def test_bad_files_are_named_and_copied(source, tmp_path):
    bad = 'train/n01440764/n01440764_4.JPEG'
    truncate(source / bad, 0.3)
    (source / 'val/n01440764/gone.JPEG').symlink_to('nowhere')
    lines = make_cache(source, tmp_path / 'out', size=32)
    assert 'warning: 2 cannot be decoded' in lines[1]
    listed = (tmp_path / 'out/bad_files.txt').read_text().splitlines()
    assert [line.partition('\t')[0] for line in listed] == [bad, 'val/n01440764/gone.JPEG']
    assert 'No such file' in listed[1]
    assert (tmp_path / 'out' / bad).read_bytes() == (source / bad).read_bytes()
    assert make_cache(source, tmp_path / 'out', size=32)[0].startswith('kept ')


@pytest.mark.parametrize('name', ['a\tb.JPEG', 'a\nb.JPEG', '\t.JPEG', 'a\t\tb\nc.JPEG', os.fsdecode(b'\xff.JPEG')])
def test_bad_files_of_any_name_are_copied_and_known_again(source, tmp_path, name):
    (source / name).write_bytes(b'no image')
    (source / f'gone_{name}').symlink_to('nowhere')
    assert 'warning: 2 cannot be decoded' in make_cache(source, tmp_path / 'out', size=32)[1]
    assert (tmp_path / 'out' / name).read_bytes() == b'no image'
    assert make_cache(source, tmp_path / 'out', size=32)[0].startswith('kept ')
    (tmp_path / 'out').rename(tmp_path / 'out.part')  # as if killed before the last step
    assert 'warning: 2 cannot be decoded' in make_cache(source, tmp_path / 'out', size=32)[1]


def test_places_are_built_from_a_cache_with_the_lists_of_the_authors(source, tmp_path):
    images, lists = 'data/vision/torralba/deeplearning/images256', 'trainvalsplit_places205'
    places = tmp_path / 'places'
    shutil.copytree(source / 'train', places / images / 'a')
    names = sorted(path.relative_to(places / images).as_posix() for path in (places / images).rglob('*.JPEG'))
    (places / lists).mkdir()
    (places / lists / 'train_places205.csv').write_text(''.join(f'{name} {n}\n' for n, name in enumerate(names)))
    make_cache(places, tmp_path / 'out', size=32)
    data = Places205('train', tmp_path / 'out')
    assert [data.index.path(n) for n in range(8)] == [str(tmp_path / 'out' / images / name) for name in names]
    assert data.index.labels.tolist() == list(range(8))


def test_an_interrupted_cache_is_gone_on_with(source, tmp_path, monkeypatch):
    bad = 'train/n01440764/n01440764_0.JPEG'  # the first: met before the interruption
    truncate(source / bad, 0.3)
    read, seen = resize_cache.read_image, []

    def stop(path: str) -> Image.Image:
        if len(seen) == 5:
            raise KeyboardInterrupt
        seen.append(path)
        return read(path)

    with monkeypatch.context() as patch:
        patch.setattr(resize_cache, 'read_image', stop)
        with pytest.raises(KeyboardInterrupt):
            make_cache(source, tmp_path / 'out', size=32)
    assert not (tmp_path / 'out').exists()
    again = []
    monkeypatch.setattr(resize_cache, 'read_image', lambda path: again.append(path) or read(path))
    make_cache(source, tmp_path / 'out', size=32)
    assert len(again) == 12 - 4  # four had been placed, the bad one had not
    whole = tmp_path / 'whole'
    make_cache(source, whole, size=32)
    assert files_below(tmp_path / 'out') == files_below(whole)


def test_a_full_disk_is_no_bad_image(source, tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(Image.Image, 'save', refuse)
    with pytest.raises(OSError, match='No space left'):
        make_cache(source, tmp_path / 'out', size=32)
    assert not (tmp_path / 'out').exists()


def test_a_cache_made_otherwise_is_left(source, tmp_path):
    make_cache(source, tmp_path / 'out', size=32)
    with pytest.raises(DataError, match='made with another size or quality'):
        make_cache(source, tmp_path / 'out', size=40)
    shutil.copy(source / 'val/n01440764/n01440764_0.JPEG', source / 'val/n01440764/new.JPEG')
    with pytest.raises(DataError, match=r"lacks 1 of 13 images of .*'val/n01440764/new\.JPEG'"):
        make_cache(source, tmp_path / 'out', size=32)


def test_a_part_made_otherwise_is_left(source, tmp_path):
    make_cache(source, tmp_path / 'out', size=32)
    (tmp_path / 'out').rename(tmp_path / 'out.part')
    with pytest.raises(DataError, match=r"out\.part' is no cache, or was made with another size"):
        make_cache(source, tmp_path / 'out', size=40)


def test_links_to_folders_are_followed_but_not_in_circles(source, tmp_path):
    (source / 'train').rename(tmp_path / 'elsewhere')
    (source / 'train').symlink_to(tmp_path / 'elsewhere')
    (source / 'val' / 'up').symlink_to(source)
    assert '12 images' in make_cache(source, tmp_path / 'out', size=32)[0]
    assert len(torchvision.datasets.ImageFolder(tmp_path / 'out/train')) == 8


@pytest.mark.parametrize('out', ['.', 'inside', '..'])
def test_one_folder_in_the_other_is_an_error(source, out):
    with pytest.raises(DataError, match='lie one in the other'):
        make_cache(source, source / out)


def test_no_image_and_wrong_numbers_are_errors(tmp_path):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DataError, match='holds no image'):
        make_cache(tmp_path / 'empty', tmp_path / 'out')
    with pytest.raises(ConfigError, match='quality 100 between 1 and 95'):
        make_cache(tmp_path / 'empty', tmp_path / 'out', quality=100)
