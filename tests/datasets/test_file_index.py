"""Class folders and list files: what is read from them, and what is refused."""

import os
import time
from pathlib import Path

import pytest

from binssl.datasets.errors import DataError
from binssl.datasets.file_index import PackedNames, index_folder, index_list, list_has_labels


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


# folders


def test_class_folders_become_labels_in_alphabetical_order(tmp_path):
    make_files(
        tmp_path, 'b/2.JPEG', 'b/1.jpg', 'a/9.png', 'c/x.jpeg', 'c/notes.txt', 'c/.hidden.jpg', 'readme.md'
    )
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
        (
            ['a/1.JPEG 1', 'a/7.JPEG 2', 'c/1.JPEG 2'],
            r"2 of 3 images .*: line 2: 'a/7.JPEG', line 3: 'c/1.JPEG'$",
        ),
        (['a/7.JPEG', 'a/1.JPEG'], "1 of 2 images .*: line 1: 'a/7.JPEG'$"),
        (['x/7.JPEG', 'x/8.JPEG'], "line 1: 'x/7.JPEG' is not in '.*train' or '.*other'"),
    ],
)
def test_a_wrong_line_is_named_by_number(photos, tmp_path, lines, message):
    with pytest.raises(DataError, match=message):
        index_list(write_list(tmp_path, *lines), [photos, tmp_path / 'other'], num_classes=10)


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
