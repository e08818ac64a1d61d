"""The index that is kept on disk: taken while the folders are as they were, and made again when they are not."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from binssl.datasets import file_index, index_cache
from binssl.datasets.file_index import FileIndex, index_folder, index_list, index_tree
from binssl.registry import DataError

CLASSES = ('n01', 'n02', 'n03')


@pytest.fixture(autouse=True)
def _keep_at_once(monkeypatch, tmp_path):
    """Small sets that were made just now are kept too, and nothing goes to one's own ~/.cache."""
    monkeypatch.setattr(index_cache, 'LEAST_IMAGES', 1)
    monkeypatch.setattr(index_cache, 'SETTLED_SECONDS', 0.0)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'home'))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / 'data/train'
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
        for number in range(3):
            (folder / name / f'{number}.JPEG').touch()
    (tmp_path / 'data/list.txt').write_text(''.join(f'{name}/{n}.JPEG {n}\n' for name in CLASSES for n in range(3)))
    tick()
    return folder


@pytest.fixture
def scans(monkeypatch) -> list[str]:
    """Every folder that is listed."""
    listed: list[str] = []
    scandir = os.scandir

    def note(folder: str | bytes | int) -> object:
        if not isinstance(folder, int):  # a descriptor: pytest, which tidies up
            listed.append(os.fsdecode(folder))
        return scandir(folder)

    monkeypatch.setattr(os, 'scandir', note)
    return listed


def tick() -> None:
    """Lets the clock of the file system, which moves in steps of some milliseconds, go on."""
    time.sleep(0.02)


def change(act: Callable[[], object]) -> None:
    act()
    tick()


def content(index: FileIndex) -> tuple:
    return [index.path(i) for i in range(len(index))], index.labels.tolist(), index.classes


INDEXES = dict(
    folder=index_folder,
    tree=index_tree,
    list=lambda folder: index_list(folder.parent / 'list.txt', [folder.parent / 'none', folder], 3),
)


@pytest.mark.parametrize('kind', INDEXES)
def test_a_second_start_lists_no_folder_and_gives_the_same(photos, scans, kind):
    first = content(INDEXES[kind](photos))
    assert len(scans) >= 3
    scans.clear()
    assert content(INDEXES[kind](photos)) == first
    assert not scans
    assert len(first[0]) == 9


@pytest.mark.parametrize('kind', ['folder', 'tree'])
@pytest.mark.parametrize(
    'act',
    [
        lambda folder: (folder / 'n02/new.JPEG').touch(),
        lambda folder: (folder / 'n02/1.JPEG').unlink(),
        lambda folder: (folder / 'n02/1.JPEG').rename(folder / 'n02/one.JPEG'),
        lambda folder: (folder / 'n03').rename(folder / 'n00'),
        lambda folder: shutil.rmtree(folder / 'n01'),
        lambda folder: shutil.copytree(folder / 'n01', folder / 'n04'),
    ],
    ids=['added', 'removed', 'renamed', 'class renamed', 'class removed', 'class added'],
)
def test_a_change_is_noticed(photos, kind, act):
    before = content(INDEXES[kind](photos))
    change(lambda: act(photos))
    found = sorted(str(path) for path in photos.rglob('*.JPEG'))
    after = content(INDEXES[kind](photos))
    assert after[0] == found != before[0]


def test_a_change_that_hides_its_time_is_noticed(photos):
    """As archives and rsync do: the times are set back."""
    index_folder(photos)
    before = os.stat(photos / 'n02')
    (photos / 'n02/1.JPEG').unlink()
    os.utime(photos / 'n02', ns=(before.st_atime_ns, before.st_mtime_ns))
    assert len(index_folder(photos)) == 8


def test_a_changed_list_is_noticed(photos):
    assert len(INDEXES['list'](photos)) == 9
    list_file = photos.parent / 'list.txt'
    change(lambda: list_file.write_text('n01/0.JPEG 2\nn03/1.JPEG 0\n'))
    assert INDEXES['list'](photos).labels.tolist() == [2, 0]
    change(lambda: (photos / 'n03/1.JPEG').unlink())
    with pytest.raises(DataError, match=r"1 of 2 images .* line 2: 'n03/1.JPEG'"):
        INDEXES['list'](photos)


def test_a_folder_that_a_list_comes_to_mean_is_noticed(photos):
    assert INDEXES['list'](photos).folder == str(photos)
    change(lambda: shutil.copytree(photos, photos.parent / 'none'))
    assert INDEXES['list'](photos).folder == str(photos.parent / 'none')


@pytest.mark.parametrize('there', ['', 'n01', 'n01/deep'], ids=['nothing', 'class', 'parent'])
def test_images_that_come_into_a_folder_tried_in_vain_are_noticed(tmp_path, there):
    """Below its root, whose times stay as they were."""
    second, tried = tmp_path / 'second', tmp_path / 'first'
    (tried / there).mkdir(parents=True)
    (second / 'n01/deep').mkdir(parents=True)
    (second / 'n01/deep/0.JPEG').touch()
    (tmp_path / 'list.txt').write_text('n01/deep/0.JPEG 0\n')
    tick()
    assert index_list(tmp_path / 'list.txt', [tried, second]).folder == str(second)
    assert list(tmp_path.rglob('*.npz'))
    change(lambda: shutil.copytree(second, tried, dirs_exist_ok=True))
    assert index_list(tmp_path / 'list.txt', [tried, second]).folder == str(tried)


def test_a_kept_list_is_checked_against_the_number_of_classes(photos):
    INDEXES['list'](photos)
    with pytest.raises(DataError, match=r'line 3: label 2 of .* must lie between 0 and 1'):
        index_list(photos.parent / 'list.txt', [photos.parent / 'none', photos], num_classes=2)


def test_a_list_in_the_folder_of_its_images_is_kept_from_the_second_start_on(tmp_path, scans):
    (tmp_path / 'a.jpg').touch()
    (tmp_path / 'list.txt').write_text('a.jpg\n')
    tick()
    index_list(tmp_path / 'list.txt', [tmp_path])  # makes the folder of the index, and so changes this one
    tick()
    index_list(tmp_path / 'list.txt', [tmp_path])
    scans.clear()
    assert index_list(tmp_path / 'list.txt', [tmp_path]).path(0) == str(tmp_path / 'a.jpg')
    assert not scans


def test_what_changed_just_now_is_not_kept(photos, monkeypatch):
    """Within one tick of a clock a second change would not show."""
    monkeypatch.setattr(index_cache, 'SETTLED_SECONDS', 3600.0)
    index_folder(photos)
    assert not list(photos.parent.rglob('*.npz'))


@pytest.fixture
def said(monkeypatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(index_cache, 'print_log', lambda line, *_: lines.append(line))
    return lines


def test_a_time_in_the_future_is_told_once(photos, said):
    """An index that is never kept would else be slow without a word."""
    for name in CLASSES[1:]:
        os.utime(photos / name, (2e9 + time.time(), 2e9 + time.time()))
    index_folder(photos)
    assert not list(photos.parent.rglob('*.npz'))
    [line] = said
    assert line.startswith(f"the index of 9 images is not kept: '{photos}/n02' has a time in the future")


def test_small_sets_that_are_not_kept_are_not_worth_a_word(photos, said, monkeypatch):
    monkeypatch.setattr(index_cache, 'SETTLED_SECONDS', 3600.0)
    index_folder(photos)
    assert said == [f"the index of 9 images is not kept: '{photos}' changed just now"]
    monkeypatch.setattr(index_cache, 'LEAST_IMAGES', 10)
    index_folder(photos)
    assert len(said) == 1


def test_small_sets_leave_no_file(photos, monkeypatch):
    monkeypatch.setattr(index_cache, 'LEAST_IMAGES', 10)
    index_folder(photos)
    assert not (photos.parent / index_cache.FOLDER).exists()


def test_data_that_are_mounted_elsewhere_keep_their_index(photos, tmp_path, scans):
    index_folder(photos)
    os.rename(photos.parent, tmp_path / 'moved')  # the folders below stay as they were
    scans.clear()
    assert index_folder(tmp_path / 'moved/train').path(0) == str(tmp_path / 'moved/train/n01/0.JPEG')
    assert not scans


def test_where_data_cannot_be_written_to_the_index_is_kept_at_home(photos, tmp_path, scans):
    (photos.parent / index_cache.FOLDER).touch()  # a file, where the folder would have to be
    first = content(index_folder(photos))
    [kept] = (tmp_path / 'home/binssl').iterdir()
    assert kept.suffix == '.npz'
    scans.clear()
    assert content(index_folder(photos)) == first
    assert not scans


def test_where_nothing_can_be_written_every_start_lists_the_folders(photos, tmp_path):
    (photos.parent / index_cache.FOLDER).touch()
    (tmp_path / 'home').touch()
    assert len(index_folder(photos)) == len(index_folder(photos)) == 9


def test_a_user_without_a_home_litters_no_folder(photos, tmp_path, monkeypatch):
    (photos.parent / index_cache.FOLDER).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('XDG_CACHE_HOME')
    monkeypatch.setattr(os.path, 'expanduser', lambda path: path)
    assert len(index_folder(photos)) == 9
    assert [path.name for path in tmp_path.iterdir()] == ['data']


def test_where_folders_have_no_times_nothing_is_kept(photos, monkeypatch):
    monkeypatch.setattr(index_cache, '_state', lambda root, name: (0, 0, 4096))
    assert len(index_folder(photos)) == 9
    assert not list(photos.parent.rglob('*.npz'))


@pytest.mark.parametrize('damage', [b'', b'PK torn', None])
def test_a_damaged_index_is_made_again(photos, damage):
    first = content(index_folder(photos))
    [kept] = (photos.parent / index_cache.FOLDER).iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    assert content(index_folder(photos)) == first
    assert kept.read_bytes()[:2] == b'PK'
    assert content(index_folder(photos)) == first


def test_an_index_of_another_version_is_made_again(photos, monkeypatch, scans):
    index_folder(photos)
    monkeypatch.setattr(index_cache, 'VERSION', index_cache.VERSION + 1)
    scans.clear()
    index_folder(photos)
    assert len(scans) == 4


def test_a_failed_write_leaves_nothing(photos, monkeypatch):
    def full(*_, **__):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(np, 'savez', full)
    assert len(index_folder(photos)) == 9
    assert not [path for path in photos.parent.rglob('*') if path.suffix in ('.npz', '.part')]


def test_a_folder_that_changes_while_it_is_read_is_read_again(photos, monkeypatch):
    """What was there is the index of this start; the next one sees the rest."""
    list_images = file_index.list_images

    def listing(folder):
        images = list_images(folder)
        (Path(folder) / 'late.JPEG').touch()
        tick()
        return images

    monkeypatch.setattr(file_index, 'list_images', listing)
    assert len(index_folder(photos)) == 9
    monkeypatch.undo()
    assert len(index_folder(photos)) == 12


def test_reading_needs_no_pickle(photos):
    index_folder(photos)
    [kept] = (photos.parent / index_cache.FOLDER).iterdir()
    with np.load(kept, allow_pickle=False) as stored:
        assert {stored[name].dtype.kind for name in stored.files} <= {'i', 'u'}
