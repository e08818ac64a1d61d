"""ImageNet's archives become class folders: exactly, resumably, and refused where they are damaged."""

import hashlib
import os
import tarfile
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from made_up_archives import WNIDS, tar_of, write_devkit, write_train_tar, write_val_tar
from missing_library import hide

from binssl.data_tools import imagenet
from binssl.data_tools.imagenet import ARCHIVE_META, PUBLISHED, Member, check_md5, read_validation_labels, unpack
from binssl.registry import ConfigError, DataError

IDS = [3, 1, 1, 2, 3]
VAL_WNIDS = [WNIDS[number - 1] for number in IDS]


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


@pytest.fixture
def train_tar(tmp_path):
    return tmp_path / 'ILSVRC2012_img_train.tar'


@pytest.fixture
def published(monkeypatch, train_tar):
    """Declares the made-up archive the published one."""

    def declare() -> None:
        md5 = hashlib.md5(train_tar.read_bytes()).hexdigest()
        monkeypatch.setitem(ARCHIVE_META, 'train', (train_tar.name, md5))
        monkeypatch.setitem(PUBLISHED, 'train', (3, 9))

    return declare


def test_train_is_sorted_into_class_folders(tmp_path, train_tar, published):
    photos = write_train_tar(train_tar)
    published()
    lines = unpack('train', train_tar, tmp_path / 'out/train')
    assert files_below(tmp_path / 'out/train') == photos
    assert os.listdir(tmp_path / 'out') == ['train']
    assert lines == [f"made '{tmp_path}/out/train': 9 images in 3 classes"]


def test_val_is_sorted_by_the_labels_given(tmp_path):
    photos = write_val_tar(tmp_path / 'val.tar', VAL_WNIDS)
    lines = unpack('val', tmp_path / 'val.tar', tmp_path / 'val', dict(enumerate(VAL_WNIDS, 1)), checksum=False)
    assert files_below(tmp_path / 'val') == photos
    assert lines[1].startswith('warning: val of ILSVRC 2012 has 50,000 images in 1,000 classes')


def test_an_interrupted_run_is_gone_on_with(tmp_path, train_tar, published, monkeypatch):
    photos = write_train_tar(train_tar)
    published()
    copied = []

    def stop_after_four(member: Member, path: Path) -> None:
        if len(copied) == 4:
            path.write_bytes(b'half')
            raise KeyboardInterrupt
        copied.append(member.path)
        copy(member, path)

    copy = Member.copy
    monkeypatch.setattr(Member, 'copy', stop_after_four)
    with pytest.raises(KeyboardInterrupt):
        unpack('train', train_tar, tmp_path / 'train')
    assert not (tmp_path / 'train').exists()

    first = list(copied)
    monkeypatch.setattr(Member, 'copy', lambda *given: copied.append(given[0].path) or copy(*given))
    monkeypatch.setattr(imagenet, 'md5_of', lambda file: pytest.fail('the checksum was computed again'))
    unpack('train', train_tar, tmp_path / 'train')
    assert files_below(tmp_path / 'train') == photos
    assert sorted(copied) == sorted(photos)
    assert len(first) == 4


def test_a_half_file_of_a_killed_run_is_replaced(tmp_path, train_tar):
    photos = write_train_tar(train_tar)
    name = next(iter(photos))
    half = tmp_path / 'train.part' / name
    half.parent.mkdir(parents=True)
    half.with_name(f'.{half.name}.77.0123abcd.tmp').write_bytes(b'half')
    unpack('train', train_tar, tmp_path / 'train', checksum=False)
    assert files_below(tmp_path / 'train') == photos


def test_a_folder_that_is_there_and_whole_is_kept(tmp_path, train_tar):
    write_train_tar(train_tar)
    unpack('train', train_tar, tmp_path / 'train', checksum=False)
    own = tmp_path / 'train' / WNIDS[0] / 'own.txt'
    own.write_text('mine')
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / 'train').rglob('*')}
    assert unpack('train', train_tar, tmp_path / 'train', checksum=False)[0].startswith('kept ')
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / 'train').rglob('*')} == before


@pytest.mark.parametrize('change', ['remove', 'shorten'])
def test_a_folder_that_differs_is_refused_and_left(tmp_path, train_tar, change):
    photos = write_train_tar(train_tar)
    unpack('train', train_tar, tmp_path / 'train', checksum=False)
    name = sorted(photos)[4]
    if change == 'remove':
        (tmp_path / 'train' / name).unlink()
    else:
        (tmp_path / 'train' / name).write_bytes(b'other')
    before = files_below(tmp_path / 'train')
    with pytest.raises(DataError, match=rf"lacks 1 of the 9 images .* such as '{name}'; move it away"):
        unpack('train', train_tar, tmp_path / 'train', checksum=False)
    assert files_below(tmp_path / 'train') == before


def test_an_archive_of_another_checksum_is_refused(tmp_path, train_tar):
    write_train_tar(train_tar)
    found = hashlib.md5(train_tar.read_bytes()).hexdigest()
    with pytest.raises(DataError, match=rf'MD5 {found}, the published one 1d675b47.*--skip-checksums'):
        unpack('train', train_tar, tmp_path / 'train')
    assert os.listdir(tmp_path) == [train_tar.name]


def test_a_checksum_is_computed_again_for_a_changed_archive(tmp_path, train_tar, published):
    write_train_tar(train_tar)
    published()
    marker = tmp_path / 'checked'
    check_md5(train_tar, ARCHIVE_META['train'][1], marker)
    train_tar.write_bytes(b'other')
    with pytest.raises(DataError, match='MD5'):
        check_md5(train_tar, ARCHIVE_META['train'][1], marker)


@pytest.mark.parametrize('fraction', [0.0, 0.2, 0.5, 0.7])
def test_a_cut_off_archive_makes_no_folder(tmp_path, train_tar, fraction):
    write_train_tar(train_tar)
    content = train_tar.read_bytes()
    train_tar.write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(DataError, match='fetch it again'):
        unpack('train', train_tar, tmp_path / 'train', checksum=False)
    assert not (tmp_path / 'train').exists()


@pytest.mark.parametrize('split', ['train', 'val'])
def test_an_archive_that_is_cut_off_or_damaged_at_any_header_makes_no_folder(tmp_path, split):
    """Without checksums: ends before, in and after each header, of the archive and of those within."""
    archive, write = tmp_path / 'archive.tar', write_train_tar if split == 'train' else write_val_tar
    write(archive, *([VAL_WNIDS] if split == 'val' else []))
    content, labels = archive.read_bytes(), dict(enumerate(VAL_WNIDS, 1))
    with tarfile.open(archive) as tar:
        headers, end = [member.offset for member in tar], tar.offset
    for header in headers[1:]:
        for cut in (header, header + 1, header + 511, header + 512, end):
            archive.write_bytes(content[:cut])
            with pytest.raises(DataError, match='fetch it again'):
                unpack(split, archive, tmp_path / 'out', labels, checksum=False)
        archive.write_bytes(content[:header] + bytes([255] * 512) + content[header + 512 :])
        with pytest.raises(DataError, match='fetch it again'):
            unpack(split, archive, tmp_path / 'out', labels, checksum=False)
    assert not (tmp_path / 'out').exists()
    archive.write_bytes(content)
    assert unpack(split, archive, tmp_path / 'out', labels, checksum=False)[0].startswith('made ')


@pytest.mark.parametrize('where', [0, 1, 511, 512])
def test_an_inner_archive_that_is_cut_off_makes_no_folder(tmp_path, train_tar, where):
    inner = tar_of({'n01440764_1.JPEG': b'one', 'n01440764_2.JPEG': b'two'})
    train_tar.write_bytes(tar_of({'n01440764.tar': inner[: 1024 + where]}))
    with pytest.raises(DataError, match='fetch it again'):
        unpack('train', train_tar, tmp_path / 'train', checksum=False)
    assert not (tmp_path / 'train').exists()


@pytest.mark.parametrize('name', ['../../evil.tar', '/n01440764.tar', 'n01440764_1.JPEG', 'train/n01440764.tar'])
def test_a_train_archive_of_other_names_is_refused(tmp_path, train_tar, name):
    train_tar.write_bytes(tar_of({name: b''}))
    with pytest.raises(DataError, match=r'the tar of train holds a WNID\.tar for each class'):
        unpack('train', train_tar, tmp_path / 'train', checksum=False)


def test_an_image_that_would_leave_the_folder_is_refused(tmp_path, train_tar):
    train_tar.write_bytes(tar_of({'n01440764.tar': tar_of({'../n01440764_1.JPEG': b'x'})}))
    with pytest.raises(DataError, match=r"holds '\.\./n01440764_1\.JPEG'"):
        unpack('train', train_tar, tmp_path / 'train', checksum=False)


def test_the_wrong_archive_is_refused_for_val(tmp_path, train_tar):
    write_train_tar(train_tar)
    with pytest.raises(DataError, match='tar of val holds ILSVRC2012_val_NUMBER'):
        unpack('val', train_tar, tmp_path / 'val', {1: WNIDS[0]}, checksum=False)


def test_a_missing_label_is_an_error(tmp_path):
    write_val_tar(tmp_path / 'val.tar', VAL_WNIDS)
    with pytest.raises(DataError, match=r'no label for ILSVRC2012_val_00000003\.JPEG: the labels given are of 2'):
        unpack('val', tmp_path / 'val.tar', tmp_path / 'val', dict(enumerate(VAL_WNIDS[:2], 1)), checksum=False)


def test_a_missing_archive_is_an_error(tmp_path, train_tar):
    with pytest.raises(DataError, match='no archive'):
        unpack('train', train_tar, tmp_path / 'train')


def test_a_full_disk_is_told_before_anything_is_written(tmp_path, train_tar, monkeypatch):
    write_train_tar(train_tar)
    size = train_tar.stat().st_size
    usage = type('Usage', (), dict(free=size - 1))
    monkeypatch.setattr('shutil.disk_usage', lambda folder: usage)
    with pytest.raises(DataError, match='GB are needed; make room'):
        unpack('train', train_tar, tmp_path / 'train', checksum=False)
    assert not (tmp_path / 'train.part').exists()


# labels of the validation images


@pytest.mark.parametrize('compressed', [True, False])
def test_the_development_kit_gives_the_labels(tmp_path, compressed):
    write_devkit(tmp_path / 'kit.tar.gz', IDS, compressed)
    assert read_validation_labels(tmp_path / 'kit.tar.gz') == dict(enumerate(VAL_WNIDS, 1))
    with tarfile.open(tmp_path / 'kit.tar.gz') as kit:
        kit.extractall(tmp_path, filter='data')
    assert read_validation_labels(tmp_path / 'ILSVRC2012_devkit_t12') == dict(enumerate(VAL_WNIDS, 1))


@pytest.mark.parametrize(
    'text',
    [
        '{0}\n{1}\n{2}\n',
        'ILSVRC2012_val_00000003.JPEG {2}\nILSVRC2012_val_00000001.JPEG {0}\n\nILSVRC2012_val_00000002.JPEG {1}\n',
        'ImageId,PredictionString\nILSVRC2012_val_00000002,{1} 85 1 499 272 {1} 3 4 5 6\n'
        'ILSVRC2012_val_00000001,{0} 1 2 3 4 \nILSVRC2012_val_00000003,{2} 1 2 3 4 \n',
    ],
    ids=['in order', 'by name', 'Kaggle'],
)
def test_text_files_give_the_labels(tmp_path, text):
    (tmp_path / 'labels.txt').write_text(text.format(*VAL_WNIDS))
    assert read_validation_labels(tmp_path / 'labels.txt') == dict(enumerate(VAL_WNIDS[:3], 1))


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('n01440764\n7\n', r"line 2: '7' should be WNID"),
        ('ILSVRC2012_val_00000001.JPEG 65\n', 'line 1: .* should be WNID'),
        ('ILSVRC2012_val_00000001 n01440764\nILSVRC2012_val_00000001 n01440764\n', 'line 2: .* is image 1 again'),
        ('\n', 'names no image'),
    ],
)
def test_other_text_is_an_error(tmp_path, text, message):
    (tmp_path / 'labels.txt').write_text(text)
    with pytest.raises(DataError, match=message):
        read_validation_labels(tmp_path / 'labels.txt')


def test_a_number_that_the_kit_does_not_know_is_an_error(tmp_path):
    write_devkit(tmp_path / 'kit.tar.gz', [1, 5])
    with pytest.raises(DataError, match=r"line 2: '5' is none of the 4 classes of meta\.mat"):
        read_validation_labels(tmp_path / 'kit.tar.gz')


@pytest.mark.parametrize('fraction', [0.0, 0.5])
def test_a_cut_off_kit_is_an_error(tmp_path, fraction):
    write_devkit(tmp_path / 'kit.tar.gz', IDS)
    content = (tmp_path / 'kit.tar.gz').read_bytes()
    (tmp_path / 'kit.tar.gz').write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(DataError, match=r'fetch ILSVRC2012_devkit_t12|holds no'):
        read_validation_labels(tmp_path / 'kit.tar.gz')


def test_an_empty_folder_is_no_kit(tmp_path):
    with pytest.raises(
        DataError, match=r'holds no ILSVRC2012_validation_ground_truth\.txt; expected is ILSVRC2012_devkit'
    ):
        read_validation_labels(tmp_path)
    with pytest.raises(DataError, match='there is no'):
        read_validation_labels(tmp_path / 'none')


def write_kit(folder: Path, rows: list[tuple]) -> None:
    """A development kit with these (ILSVRC2012_ID, WNID)."""
    array = np.array(rows, dtype=[('ILSVRC2012_ID', 'O'), ('WNID', 'O')])
    scipy.io.savemat(folder / 'meta.mat', dict(synsets=array))
    (folder / 'ILSVRC2012_validation_ground_truth.txt').write_text('1\n')


def test_a_kit_of_one_class_is_read(tmp_path):
    write_kit(tmp_path, [(1.0, 'n01440764')])
    assert read_validation_labels(tmp_path) == {1: 'n01440764'}


@pytest.mark.parametrize('wnid', ['../../x', 'n0144076', 'n01440764/..', 'n01440764\n', '', 7.0, np.eye(2)])
def test_a_class_name_of_another_form_makes_no_folder(tmp_path, wnid):
    write_kit(tmp_path, [(1.0, 'n01440764'), (2.0, wnid)])
    with pytest.raises(DataError, match=r'the WNID .* should be n and eight digits'):
        read_validation_labels(tmp_path)


@pytest.mark.parametrize('number', [np.nan, np.inf, 'one', np.array([])])
def test_a_class_without_a_number_is_an_error(tmp_path, number):
    write_kit(tmp_path, [(number, 'n01440764')])
    with pytest.raises(DataError, match='has no ILSVRC2012_ID and WNID in each synset'):
        read_validation_labels(tmp_path)


@pytest.mark.parametrize('length', [0, 100, 130, 200, 400])
def test_a_matlab_file_that_is_cut_off_is_an_error(tmp_path, length):
    write_kit(tmp_path, [(1.0, 'n01440764'), (2.0, 'n01443537')])
    (tmp_path / 'meta.mat').write_bytes((tmp_path / 'meta.mat').read_bytes()[:length])
    with pytest.raises(DataError, match=r'meta\.mat .* fetch ILSVRC2012_devkit_t12'):
        read_validation_labels(tmp_path)


@pytest.mark.parametrize(
    ('part', 'damaged'), [(b'MATLAB', False), (b'IM', True), (b'synsets', True), (b'n01440764', True)]
)
def test_a_matlab_file_with_a_flipped_byte_is_read_or_an_error(tmp_path, part, damaged):
    """In its free text, its byte order, a name, a value; of a wrong length scipy itself may crash."""
    write_kit(tmp_path, [(1.0, 'n01440764'), (2.0, 'n01443537')])
    content = bytearray((tmp_path / 'meta.mat').read_bytes())
    content[content.index(part)] ^= 1
    (tmp_path / 'meta.mat').write_bytes(content)
    with pytest.raises(DataError, match=r'meta\.mat .* fetch ILSVRC2012_devkit_t12') if damaged else nullcontext():
        assert read_validation_labels(tmp_path) == {1: 'n01440764'}


def test_without_scipy_the_extra_is_named(tmp_path, monkeypatch):
    write_kit(tmp_path, [(1.0, 'n01440764')])
    hide(monkeypatch, 'scipy')
    with pytest.raises(ConfigError, match=r'binssl\[digits\]'):
        read_validation_labels(tmp_path)
