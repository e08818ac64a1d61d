"""Class folders and list files: what is read from them, and what is refused."""

import logging
import os
import pickle
import time
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest

from binssl.datasets import file_index, folder_files, list_files
from binssl.datasets.file_index import FileIndex, PackedNames
from binssl.datasets.folder_files import class_folders, index_folder, index_tree
from binssl.datasets.list_files import index_list, list_has_labels
from binssl.registry import DataError


def make_files(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b'')
    return folder


def write_list(folder: Path, *lines: str) -> Path:
    path = folder / 'list.txt'
    path.write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return make_files(tmp_path / 'train', 'a/1.JPEG', 'a/2.JPEG', 'b/3.JPEG', 'b/no 4.JPEG')


def test_packed_names_give_back_what_was_packed_bytes_of_any_encoding_included():
    names = ['a/1.JPEG', '', 'dir/é 雪.png', os.fsdecode(b'latin\xe9.jpg'), 'x' * 300]
    packed = PackedNames(names)
    assert [packed[index] for index in range(len(packed))] == names


def test_names_at_places_are_those_one_by_one():
    names = [f'{"x" * (number % 7)}{number}' for number in range(1000)]
    places = np.random.RandomState(0).permutation(1000)[:300]
    assert list(PackedNames(names).raw_of(places)) == [names[place].encode() for place in places]


def test_loader_workers_share_an_index_and_get_no_copy():
    """However they are started: what travels are names of shared memory, not the names of the files."""
    index = FileIndex('data', PackedNames(f'n{n:08d}/{n}.JPEG' for n in range(20_000)), np.arange(20_000), ['a'])
    assert len(pickle.dumps(index)) > 400_000
    sent = ForkingPickler.dumps(index)  # as spawn and forkserver do
    assert len(sent) < 5_000
    arrived = pickle.loads(sent)
    assert [arrived.path(i) for i in (0, 19_999)] == ['data/n00000000/0.JPEG', 'data/n00019999/19999.JPEG']
    assert arrived.labels[19_999] == 19_999
    assert arrived.classes == ['a']


# folders


def test_class_folders_become_labels_in_alphabetical_order(tmp_path):
    make_files(tmp_path, 'b/2.JPEG', 'b/1.jpg', 'a/9.png', 'c/x.jpeg', 'c/notes.txt', 'c/.hidden.jpg', 'readme.md')
    index = index_folder(tmp_path)
    assert [index.names[i] for i in range(4)] == ['a/9.png', 'b/1.jpg', 'b/2.JPEG', 'c/x.jpeg']
    assert index.labels.tolist() == [0, 1, 1, 2]
    assert index.path(1) == str(tmp_path / 'b/1.jpg')


def test_folders_without_images_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"no image folder '.*missing'"):
        index_folder(tmp_path / 'missing')
    with pytest.raises(DataError, match='holds no class folders'):
        index_folder(tmp_path)
    make_files(tmp_path, 'a/1.JPEG', 'empty/readme.txt')
    with pytest.raises(DataError, match=r"empty' holds no image \(\.jpg"):
        index_folder(tmp_path)


def test_more_class_folders_than_classes_are_refused(photos):
    assert len(index_folder(photos, num_classes=2)) == 4
    with pytest.raises(DataError, match='holds 2 class folders, more than num_classes=1'):
        index_folder(photos, num_classes=1)


def test_class_folders_named_by_numbers_are_in_the_order_of_the_numbers(tmp_path):
    make_files(tmp_path, *(f'{number}/{number}.JPEG' for number in range(12)))
    index = index_folder(tmp_path)
    assert index.classes == [str(number) for number in range(12)]
    assert [index.names[label] for label in (2, 10)] == ['2/2.JPEG', '10/10.JPEG']
    make_files(tmp_path, 'extra/1.JPEG')  # one that is no number: as torchvision has them
    assert class_folders(tmp_path) == sorted([*map(str, range(12)), 'extra'])


def test_a_class_folder_of_folders_is_told(tmp_path):
    make_files(tmp_path, 'n01/images/1.JPEG')
    with pytest.raises(DataError, match=r"n01' holds no image .*; it holds folders, such as 'images'"):
        index_folder(tmp_path)


@pytest.mark.parametrize('make_index', [index_folder, index_tree])
def test_links_count_as_what_they_lead_to(photos, tmp_path, make_index):
    (tmp_path / 'links/c').mkdir(parents=True)
    os.symlink(photos / 'a/1.JPEG', tmp_path / 'links/c/one.JPEG')
    os.symlink(photos / 'b', tmp_path / 'links/d')
    index = make_index(tmp_path / 'links')
    assert [index.names[i] for i in range(len(index))] == ['c/one.JPEG', 'd/3.JPEG', 'd/no 4.JPEG']


@pytest.mark.parametrize('make_index', [index_folder, index_tree])
def test_a_link_to_nothing_is_named(photos, make_index):
    os.symlink('gone.JPEG', photos / 'b/4.JPEG')
    with pytest.raises(DataError, match=r"train/b/4\.JPEG' is a link to 'gone\.JPEG', which is not there.*find -L"):
        make_index(photos)
    os.symlink('gone too.JPEG', photos / 'b/6.JPEG')
    with pytest.raises(DataError, match=r"'gone\.JPEG', which is not there \(and 1 more in that folder\): mend"):
        make_index(photos)
    (photos / 'b/6.JPEG').unlink()
    (photos / 'b/4.JPEG').rename(photos / 'b/4.txt')  # no image's name: nobody would read it
    assert len(make_index(photos)) == 4


def test_a_link_to_itself_is_named(photos):
    os.symlink('5.JPEG', photos / 'b/5.JPEG')
    with pytest.raises(DataError, match=r"b/5\.JPEG' is a link to '5\.JPEG'"):
        index_folder(photos)


@pytest.mark.parametrize('make_index', [index_folder, index_tree])
def test_a_folder_with_the_name_of_an_image_is_none(photos, make_index):
    (photos / 'b/folder.JPEG').mkdir()
    assert len(make_index(photos)) == 4


@pytest.mark.parametrize('make_index', [index_folder, index_tree])
def test_names_of_any_encoding_are_kept(tmp_path, make_index):
    folder = os.fsencode(tmp_path) + b'/caf\xe9'
    os.mkdir(folder)
    with open(folder + b'/\xff\xfe.JPEG', 'wb') as image:
        image.write(b'there')
    index = make_index(tmp_path)
    assert Path(index.path(0)).read_bytes() == b'there'
    assert os.fsencode(index.names[0]) == b'caf\xe9/\xff\xfe.JPEG'


@pytest.mark.parametrize('make_index', [index_folder, index_tree])
def test_a_folder_that_may_not_be_read_is_named(photos, monkeypatch, make_index):
    scandir = os.scandir

    def refuse(folder):
        if folder.endswith(b'/b'):
            raise PermissionError(13, 'Permission denied', folder)
        return scandir(folder)

    with monkeypatch.context() as patched:  # only here: pytest itself lists folders in the end
        patched.setattr(os, 'scandir', refuse)
        with pytest.raises(DataError, match=r"folder '.*/train/b' cannot be read: Permission denied.*chmod"):
            make_index(photos)


def test_images_that_may_not_be_read_are_found_at_the_start(photos, monkeypatch):
    def refuse(path, mode='r'):
        raise PermissionError(13, 'Permission denied', path)

    monkeypatch.setattr(file_index, 'open', refuse, raising=False)
    with pytest.raises(DataError, match=r"image '.*train/a/1\.JPEG' cannot be opened: Permission denied.*chmod"):
        index_folder(photos)


def test_a_folder_that_goes_away_while_it_is_read_is_named(photos, monkeypatch):
    monkeypatch.setattr(folder_files, 'class_folders', lambda folder: ['a', 'b', 'gone'])
    with pytest.raises(DataError, match=r"folder '.*/train/gone' cannot be read: No such file.*as long as the run"):
        index_folder(photos)


# any folder


def test_a_tree_has_all_images_of_all_folders_in_order(tmp_path):
    make_files(tmp_path, 'b/2.JPEG', 'b/10/x.png', 'b/1.jpg', 'a/9.PNG', 'top.webp')
    make_files(tmp_path, '.hidden/1.jpg', 'a/.1.jpg', 'a/notes.txt')
    index = index_tree(tmp_path)
    assert [index.names[i] for i in range(len(index))] == ['top.webp', 'a/9.PNG', 'b/1.jpg', 'b/2.JPEG', 'b/10/x.png']
    assert index.labels.tolist() == [-1] * 5
    assert index.classes is None
    assert index.path(0) == str(tmp_path / 'top.webp')


def test_a_tree_with_a_link_in_a_circle_is_read_once(photos):
    os.symlink(photos, photos / 'b/again')
    assert len(index_tree(photos)) == 4


def test_a_tree_without_images_is_refused(tmp_path):
    make_files(tmp_path, 'a/readme.txt', 'b/c/.1.jpg')
    with pytest.raises(DataError, match=r'holds no image \(\.jpg.*\), nor do the 3 folders in it'):
        index_tree(tmp_path)
    with pytest.raises(DataError, match=r"no image folder '.*missing'"):
        index_tree(tmp_path / 'missing')


# lists


def test_a_list_without_labels(photos, tmp_path):
    list_file = write_list(tmp_path, 'b/no 4.JPEG', '', 'a/1.JPEG  ', 'a/1.JPEG')
    index = index_list(list_file, [photos])
    assert [index.names[i] for i in range(3)] == ['b/no 4.JPEG', 'a/1.JPEG', 'a/1.JPEG']
    assert index.labels.tolist() == [-1, -1, -1]
    assert not list_has_labels(list_file)


def test_a_list_with_labels(photos, tmp_path):
    list_file = write_list(tmp_path, 'b/no 4.JPEG 7', 'a/1.JPEG\t0', 'b/3.JPEG   999')
    index = index_list(list_file, [photos], num_classes=1000)
    assert [index.names[i] for i in range(3)] == ['b/no 4.JPEG', 'a/1.JPEG', 'b/3.JPEG']
    assert index.labels.tolist() == [7, 0, 999]
    assert list_has_labels(list_file)


def test_paths_are_relative_to_the_first_folder_that_has_them(photos, tmp_path):
    below = index_list(write_list(tmp_path, 'a/1.JPEG'), [photos, tmp_path])
    above = index_list(write_list(tmp_path, 'train/a/1.JPEG'), [photos, tmp_path])
    assert below.path(0) == above.path(0) == str(photos / 'a/1.JPEG')


@pytest.mark.parametrize(
    ('lines', 'message'),
    [
        ([], 'is empty'),
        (['', '  '], 'is empty'),
        (['a/1.JPEG 0', '', 'a/2.JPEG'], "line 3: 'a/2.JPEG' has no label, unlike the first line"),
        (['a/1.JPEG 0', 'a/2.JPEG cat'], "line 2: 'a/2.JPEG cat' has no label"),
        (['a/1.JPEG', 'a/2.JPEG 5'], "line 2: 'a/2.JPEG' has the label 5, unlike the first line"),
        (['a/1.JPEG 0', 'a/2.JPEG 10'], 'line 2: label 10 of .* must lie between 0 and 9'),
        (['a/1.JPEG 0', 'a/2.JPEG -1'], 'line 2: label -1 of .* must lie between 0 and 9'),
        (['a/1.JPEG 1', 'a/7.JPEG 2', 'c/1.JPEG 2'], r"2 of 3 images .*: line 2: 'a/7.JPEG', line 3: 'c/1.JPEG'$"),
        (['a/7.JPEG', 'a/1.JPEG'], "1 of 2 images .*: line 1: 'a/7.JPEG'$"),
        (['x/7.JPEG', 'x/8.JPEG'], "line 1: 'x/7.JPEG' is not in '.*train' or '.*other'"),
    ],
)
def test_a_wrong_line_is_named_by_number(photos, tmp_path, lines, message):
    with pytest.raises(DataError, match=message):
        index_list(write_list(tmp_path, *lines), [photos, tmp_path / 'other'], num_classes=10)


@pytest.fixture
def log(monkeypatch) -> list[str]:
    lines: list[str] = []

    def note(message: str, logger: object = None, level: int = logging.INFO) -> None:
        lines.append(f'{logging.getLevelName(level)} {message}')

    monkeypatch.setattr(list_files, 'print_log', note)
    return lines


def test_an_image_named_twice_is_told_once(photos, tmp_path, log):
    list_file = write_list(tmp_path, 'a/1.JPEG 3', 'b/3.JPEG 1', '', 'a/1.JPEG 3', 'a/2.JPEG 3', 'a/1.JPEG\t3')
    assert index_list(list_file, [photos]).labels.tolist() == [3, 1, 3, 3, 3]
    [line] = log
    assert line.startswith('WARNING')
    assert "more than once, on 2 of its lines, such as 'a/1.JPEG' in lines 1 and 4" in line


def test_two_labels_of_one_image_are_refused(photos, tmp_path):
    list_file = write_list(tmp_path, 'a/1.JPEG 3', 'b/3.JPEG 1', 'a/2.JPEG 3', 'a/1.JPEG 2')
    with pytest.raises(DataError, match=r"line 4: 'a/1\.JPEG' has the label 2, and 3 in line 1"):
        index_list(list_file, [photos])


def test_a_list_as_windows_writes_it_is_read(photos, tmp_path):
    (tmp_path / 'list.txt').write_bytes('a/1.JPEG 0\r\n\r\nb/no 4.JPEG 1\r\n'.encode('utf-8-sig'))
    index = index_list(tmp_path / 'list.txt', [photos])
    assert [index.names[0], index.names[1]] == ['a/1.JPEG', 'b/no 4.JPEG']


@pytest.mark.parametrize('content', ['a/1.JPEG 0\n'.encode('utf-16'), b'a/1.JPEG 0\ra/2.JPEG 1\r'])
def test_a_list_of_another_encoding_is_told(photos, tmp_path, content):
    (tmp_path / 'list.txt').write_bytes(content)
    with pytest.raises(DataError, match=r'line 1: .*UTF-16.*save it as UTF-8'):
        index_list(tmp_path / 'list.txt', [photos])


@pytest.mark.parametrize('number', ['9' * 30, '9' * 5000, '--3', '+-3', '1e3', '٣'])
def test_what_is_no_label_is_part_of_the_name(photos, tmp_path, number):
    with pytest.raises(DataError, match=r'line 2: .* has no label, unlike the first line'):
        index_list(write_list(tmp_path, 'a/1.JPEG 0', f'a/2.JPEG {number}'), [photos])


def test_a_listed_link_to_nothing_is_missing(photos, tmp_path):
    os.symlink('gone', photos / 'b/4.JPEG')
    assert len(index_list(write_list(tmp_path, 'a/1.JPEG', 'b/3.JPEG'), [photos])) == 2
    with pytest.raises(DataError, match=r"1 of 2 images .* links to nothing: line 2: 'b/4\.JPEG'"):
        index_list(write_list(tmp_path, 'a/1.JPEG', 'b/4.JPEG'), [photos])


def test_a_list_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"list file '.*none\.txt' cannot be read: No such file"):
        index_list(tmp_path / 'none.txt', [tmp_path])
    with pytest.raises(DataError, match='cannot be read: Is a directory'):
        index_list(tmp_path, [tmp_path])


def test_a_list_that_is_no_text_is_refused(photos, tmp_path):
    (tmp_path / 'list.bin').write_bytes(bytes(range(256)) * 4)
    with pytest.raises(DataError, match='line 1'):
        index_list(tmp_path / 'list.bin', [photos])


def test_a_list_names_files_of_any_encoding(tmp_path):
    name = b'caf\xe9.JPEG'
    (tmp_path / 'a').mkdir()
    with open(os.path.join(os.fsencode(tmp_path / 'a'), name), 'wb'):
        pass
    (tmp_path / 'list.txt').write_bytes(b'a/' + name + b'\n')
    assert os.path.exists(index_list(tmp_path / 'list.txt', [tmp_path]).path(0))


def test_a_long_list_is_read_fast(tmp_path):
    """50,000 lines; a stat a file or a quadratic step would show."""
    folder = make_files(tmp_path / 'train', *(f'{i % 10}/{i}.JPEG' for i in range(500)))
    lines = [f'{i % 10}/{i % 500}.JPEG {i % 10}' for i in range(50_000)]
    list_file = write_list(tmp_path, *lines)
    start = time.process_time()
    index = index_list(list_file, [folder])
    assert time.process_time() - start < 1.5
    assert len(index) == 50_000


@pytest.mark.parametrize('place', [0, 1])
def test_a_line_without_an_end_is_refused_and_not_read(photos, tmp_path, place):
    lines = ['a/1.JPEG 0', 'a/2.JPEG 0']
    lines[place] = 'x' * 2_000_000
    with pytest.raises(DataError, match=f'line {place + 1} has 65,536 bytes or more') as caught:
        index_list(write_list(tmp_path, *lines), [photos])
    assert len(str(caught.value)) < 300


def test_a_list_that_is_no_file_is_refused_without_waiting(photos, tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    for file in (tmp_path / 'pipe', '/dev/zero'):
        with pytest.raises(DataError, match='cannot be read: is no regular file'):
            index_list(file, [photos])
