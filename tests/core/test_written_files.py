"""Files on odd file systems, records that were damaged, and what is refused before it fills memory or waits."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from binssl.core import files
from binssl.core.files import load_array, name_again, read_bytes, read_json, read_tar, remove_leftovers, write_text
from binssl.core.locks import only_one
from binssl.registry import ConfigError

FORM = dict(name=str, value=float, epoch=int, sizes=[int], shares={...: float}, commit=(str, None))
RECORD = dict(name='a', value=0.5, epoch=3, sizes=[1, 2], shares={'x': 1, 'y': 0.25}, commit=None)
DAMAGES = {
    'empty': b'',
    'cut off': json.dumps(RECORD).encode()[:-9],
    'zeros': bytes(200),
    'no text': b'\xff\xfe\xfd' * 9,
    'deep lists': b'[' * 200_000,
    'deep dicts': b'{"a":' * 200_000,
    'a list': b'[]',
    'a number': b'3',
    'nothing': b'null',
    'digits without end': b'{"epoch": ' + b'9' * 100_000 + b'}',
    **{f'without {key}': json.dumps({k: v for k, v in RECORD.items() if k != key}).encode() for key in RECORD},
    **{
        f'{key} is {value!r}': json.dumps({**RECORD, key: value}).encode()
        for key in RECORD
        for value in (True, [[]], {'x': 'y'}, [None], float('nan'), float('-inf'), 1e300, 10**30, {'x': [1]})
    },
    **{
        f'{key} is text': json.dumps({**RECORD, key: 'text'}).encode()
        for key in RECORD
        if key not in ('name', 'commit')
    },
    'epoch has a fraction': json.dumps({**RECORD, 'epoch': 2.5}).encode(),
}


@pytest.mark.parametrize('damage', DAMAGES)
def test_a_damaged_record_counts_as_none(tmp_path, damage):
    file = tmp_path / 'record.json'
    file.write_text(json.dumps({**RECORD, 'more': [1]}))
    assert read_json(file, **FORM) == {**RECORD, 'more': [1]}
    file.write_bytes(DAMAGES[damage])
    assert read_json(file, **FORM) == {}


def test_a_record_that_is_no_file_counts_as_none(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    (tmp_path / 'device').symlink_to('/dev/zero')
    (tmp_path / 'folder').mkdir()
    assert [read_json(tmp_path / name) for name in ('pipe', 'device', 'folder', 'nowhere')] == [{}] * 4
    with pytest.raises(OSError, match='no regular file'):
        read_bytes(tmp_path / 'pipe')
    (tmp_path / 'large').write_bytes(bytes(11))
    with pytest.raises(OSError, match='more than 10 bytes'):
        read_bytes(tmp_path / 'large', 10)


def npy(header: bytes) -> bytes:
    return b'\x93NUMPY\x01\x00' + len(header).to_bytes(2, 'little') + header + bytes(64)


ARRAYS = {
    'empty': b'',
    'another format': b'PK\x03\x04' + bytes(40),
    'a pickle': b'\x80\x02}q\x00.',
    'objects': npy(b"{'descr': '|O', 'fortran_order': False, 'shape': (8,)}"),
    'no shape': npy(b"{'descr': '<f4', 'fortran_order': False}"),
    'a huge shape': npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (%d,)}" % 10**30),
    'a large shape': npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d)}" % (2**40, 2**40)),
    'a negative shape': npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}"),
    'a deep header': npy(b'(' * 5000),
    'deep minus signs': npy(b'-' * 5000 + b'1'),
    'an odd type': npy(b"{'descr': [[[[]]]], 'fortran_order': False, 'shape': (8,)}"),
    'cut off': npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (100,)}"),
}


@pytest.mark.parametrize('damage', ARRAYS)
@pytest.mark.parametrize('mmap_mode', [None, 'r', 'c'])
def test_a_damaged_array_is_an_error(tmp_path, damage, mmap_mode):
    np.save(tmp_path / 'a.npy', np.arange(6.0))
    assert load_array(tmp_path / 'a.npy', mmap_mode).tolist() == [0, 1, 2, 3, 4, 5]
    (tmp_path / 'a.npy').write_bytes(ARRAYS[damage])
    with pytest.raises((OSError, ValueError)):
        load_array(tmp_path / 'a.npy', mmap_mode)


def refusing(number: int):
    def refuse(*arguments, **_):
        raise OSError(number, os.strerror(number), str(arguments[0]))

    return refuse


@pytest.mark.parametrize('lacking', [(), ('symlink',), ('symlink', 'link')])
@pytest.mark.parametrize('number', [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL])
@pytest.mark.parametrize('symbolic', [True, False])
def test_a_second_name_is_a_link_or_else_a_copy(tmp_path, monkeypatch, lacking, number, symbolic):
    for name in lacking:
        monkeypatch.setattr(os, name, refusing(number))
    for content in ('one', 'two', 'two'):
        write_text(tmp_path / 'epoch.pth', content)
        for _ in range(2):  # again the same
            name_again(tmp_path / 'latest.pth', tmp_path / 'epoch.pth', symbolic)
        assert (tmp_path / 'latest.pth').read_text() == content
        assert (tmp_path / 'latest.pth').is_symlink() == (symbolic and not lacking)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['epoch.pth', 'latest.pth']


@pytest.mark.parametrize('number', [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize('what', ['files', 'folders'])
def test_what_cannot_be_flushed_is_left_to_the_system_and_a_failing_disk_is_told(tmp_path, monkeypatch, number, what):
    flush = os.fsync

    def fsync(descriptor: int) -> None:
        if os.path.isdir(f'/proc/self/fd/{descriptor}') == (what == 'folders'):
            raise OSError(number, os.strerror(number))
        flush(descriptor)

    monkeypatch.setattr(os, 'fsync', fsync)
    if number in (errno.EIO, errno.ENOSPC):
        with pytest.raises(OSError, match=os.strerror(number)):
            write_text(tmp_path / 'a.txt', 'whole')
    else:
        write_text(tmp_path / 'a.txt', 'whole')
        assert (tmp_path / 'a.txt').read_text() == 'whole'


def test_only_what_a_writer_left_is_removed(tmp_path):
    own = ['.notes.tmp', 'b.1.0123abcd.tmp', '.c.1.0123abcd.tmp.txt', '.d.x.0123abcd.tmp']
    for name in [*own, '.epoch_1.pth.77.0123abcd.tmp']:
        (tmp_path / name).touch()
    (tmp_path / '.folder.1.0123abcd.tmp').mkdir()
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*own, '.folder.1.0123abcd.tmp'])


@pytest.mark.parametrize('kind', ['a link', 'a hard link', 'a link to nothing', 'a pipe', 'a device'])
def test_a_lock_that_leads_elsewhere_is_refused_and_empties_nothing(tmp_path, kind):
    thesis, lock = tmp_path / 'thesis.tex', tmp_path / 'run' / '.lock'
    thesis.write_text('years of work')
    lock.parent.mkdir()
    if kind == 'a link':
        lock.symlink_to(thesis)
    elif kind == 'a hard link':
        os.link(thesis, lock)
    elif kind == 'a link to nothing':
        lock.symlink_to(tmp_path / 'new')
    elif kind == 'a pipe':
        os.mkfifo(lock)
    else:
        lock.symlink_to('/dev/null')
    with pytest.raises(ConfigError, match=r'lock is no file that a run made.*remove it'), only_one(tmp_path / 'run'):
        pass
    assert thesis.read_text() == 'years of work'
    assert not (tmp_path / 'new').exists()


def archive(file: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(file, 'w:gz') as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return file


def test_an_archive_that_unpacks_to_far_more_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, '_MOST_UNPACKED', 1 << 20)
    small = archive(tmp_path / 'a.tar.gz', (tarfile.TarInfo('x/a'), b'abc'), (tarfile.TarInfo('b'), b'def'))
    assert read_tar(small, {'a', 'b'}) == dict(a=b'abc', b=b'def')
    zeros = bytes(2 << 20)
    for name in ('a', 'other'):  # of the file itself, and of one before it
        bomb = archive(tmp_path / 'b.tar.gz', (tarfile.TarInfo(name), zeros), (tarfile.TarInfo('a'), b'abc'))
        with pytest.raises(files.BROKEN_TAR, match='unpacks to more than'):
            read_tar(bomb, {'a'})
    long = tarfile.TarInfo('././@LongLink')  # a name of two megabytes
    long.type = tarfile.GNUTYPE_LONGNAME
    with pytest.raises(files.BROKEN_TAR, match='unpacks to more than'):
        read_tar(archive(tmp_path / 'c.tar.gz', (long, zeros), (tarfile.TarInfo('a'), b'abc')), {'a'})
    with gzip.open(tmp_path / 'd.tar.gz', 'wb') as file:
        file.write(zeros)
    assert read_tar(tmp_path / 'd.tar.gz', {'a'}) == {}


def test_a_sparse_member_is_refused(tmp_path):
    sparse = tarfile.TarInfo('a')
    sparse.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(sparse.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b'%011o\0%011o\0' % (0, 0)
    header[483:495] = b'%011o\0' % (1 << 32)  # the size that it claims
    header[148:156] = b'%06o\0 ' % (sum(header[:148]) + 8 * 32 + sum(header[156:512]))
    (tmp_path / 'a.tar.gz').write_bytes(gzip.compress(bytes(header) + bytes(1024)))
    with pytest.raises(files.BROKEN_TAR, match='is sparse'):
        read_tar(tmp_path / 'a.tar.gz', {'a'})
