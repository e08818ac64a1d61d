"""Fetching data sets from a server, and words where there is none."""

from __future__ import annotations

import errno
import hashlib
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from made_up_cifar import write_cifar10, write_cifar100
from made_up_tiny_imagenet import write_tiny_imagenet

from binssl.datasets import CIFAR10, CIFAR100, TinyImageNet, cifar, download, download_missing, tiny_imagenet
from binssl.registry import DataError


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder without a word, and counts what is fetched."""

    fetched: list[str] = []

    def log_message(self, *args: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """Notes the path."""
        self.fetched.append(self.path)
        super().do_GET()


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is served as the two publishers' sites, with made-up archives."""
    folder = tmp_path / 'server'
    write_cifar10(folder, archive=True)
    write_cifar100(folder, archive=True)
    write_tiny_imagenet(tmp_path / 'packed/tiny-imagenet-200')
    shutil.make_archive(str(folder / 'tiny-imagenet-200'), 'zip', tmp_path / 'packed')
    handler = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        address = f'http://127.0.0.1:{running.server_port}'
        monkeypatch.setenv('no_proxy', '*')
        monkeypatch.setattr(Quiet, 'fetched', [])
        monkeypatch.setattr(cifar, 'SITE', address)
        monkeypatch.setattr(tiny_imagenet, 'URL', f'{address}/tiny-imagenet-200.zip')
        monkeypatch.setattr(tiny_imagenet, 'MD5', md5(folder / 'tiny-imagenet-200.zip'))
        for part in (CIFAR10, CIFAR100):
            binary, python = part.versions
            monkeypatch.setattr(part, 'versions', (binary._replace(md5=md5(folder / binary.archive)), python))
        yield folder
        running.shutdown()


def test_a_missing_cifar_is_fetched_once_and_read(server, tmp_path):
    config = dict(type='CIFAR10', root=str(tmp_path / 'data/cifar10'))
    (line,) = download_missing(config)
    assert 'CIFAR-10: fetched http' in line
    assert str(tmp_path / 'data/cifar10') in line
    assert len(CIFAR10(root=config['root'])) == 50
    assert [path.name for path in Path(config['root']).iterdir()] == ['cifar-10-binary.tar.gz']
    before = len(Quiet.fetched)
    assert download_missing(config) == []
    assert len(Quiet.fetched) == before


def test_a_missing_tiny_imagenet_is_fetched_and_extracted(server, tmp_path):
    root = tmp_path / 'data/other-name'
    (line,) = download_missing(dict(type='TinyImageNet', root=root))
    assert 'TinyImageNet: fetched http' in line
    assert len(TinyImageNet('val', root=root)) == 8
    assert sorted(path.name for path in root.parent.iterdir()) == ['other-name', 'tiny-imagenet-200.zip']
    assert download_missing(dict(type='TinyImageNet', root=root)) == []


def test_an_archive_fetched_by_hand_is_not_fetched_again(server, tmp_path):
    (tmp_path / 'data').mkdir()
    shutil.copy(server / 'tiny-imagenet-200.zip', tmp_path / 'data')
    download_missing(dict(type='TinyImageNet', root=tmp_path / 'data/tiny'))
    assert len(TinyImageNet(root=tmp_path / 'data/tiny')) == 24
    assert Quiet.fetched == []


def test_default_roots_are_those_of_the_sets(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for kind in ('CIFAR10', 'CIFAR100', 'TinyImageNet'):
        assert len(download_missing(dict(type=kind))) == 1
    assert (len(CIFAR10('test')), len(CIFAR100('test')), len(TinyImageNet('val'))) == (20, 100, 8)


def test_bank_and_query_are_fetched_once(server, tmp_path):
    part = dict(type='CIFAR100', root=str(tmp_path / 'data'))
    assert len(download_missing(dict(type='BankAndQuery', bank=part, query=dict(part, split='test')))) == 1


def test_what_a_set_is_made_of_is_fetched(server, tmp_path):
    part = dict(type='CIFAR10', root=str(tmp_path / 'data'))
    few = dict(type='FewLabels', dataset=part, per_class=1)
    assert len(download_missing(dict(type='BankAndQuery', bank=few, query=part))) == 1
    assert len(CIFAR10(root=part['root'])) == 50


def test_other_sets_are_passed_by():
    for config in (dict(type='Digits'), dict(type='ImageNet', root='nowhere'), dict()):
        assert download_missing(config) == []


def test_what_is_there_is_left_alone(server, tmp_path):
    (folder,) = write_cifar10(tmp_path / 'data').iterdir()
    (folder / 'test_batch.bin').unlink()
    assert download_missing(dict(type='CIFAR10', root=tmp_path / 'data')) == []


@pytest.mark.parametrize('kind', ['CIFAR10', 'TinyImageNet'])
def test_a_damaged_download_leaves_nothing_and_says_what_to_do(server, tmp_path, kind):
    for archive in server.iterdir():
        archive.write_bytes(b'not found, but with status 200')
    root = tmp_path / 'data/set'
    with pytest.raises(DataError, match=r'http://127.* cannot be fetched \(File not found or corrupted.*put it at '):
        download_missing(dict(type=kind, root=root))
    assert not root.exists()
    assert [path for path in (tmp_path / 'data').rglob('*') if path.is_file()] == []


def test_a_disk_that_is_full_half_way_through_the_archive_leaves_the_archive_alone(server, tmp_path, monkeypatch):
    def fill(archive: str, place: str) -> None:
        (Path(place) / 'tiny-imagenet-200').mkdir()
        (Path(place) / 'tiny-imagenet-200/wnids.txt').write_text('n0')
        raise OSError(errno.ENOSPC, 'No space left on device')

    root = tmp_path / 'data/tiny'
    with monkeypatch.context() as patched:
        patched.setattr(download, 'extract_archive', fill)
        with pytest.raises(DataError) as caught:
            download_missing(dict(type='TinyImageNet', root=root))
    for part in (str(root.with_name('tiny-imagenet-200.zip')), 'No space left on device', 'make room', 'dataset.root'):
        assert part in str(caught.value)
    before = len(Quiet.fetched)
    assert [path.name for path in root.parent.iterdir()] == ['tiny-imagenet-200.zip']
    download_missing(dict(type='TinyImageNet', root=root))
    assert len(TinyImageNet(root=root)) == 24
    assert len(Quiet.fetched) == before


def test_a_file_in_the_way_of_the_folder_is_told_and_left_alone(server, tmp_path):
    (tmp_path / 'file').write_text('mine')
    with pytest.raises(DataError, match=r"cannot be extracted to '.*/file' \(.*Not a directory"):
        download_missing(dict(type='TinyImageNet', root=tmp_path / 'file'))
    for kind in ('CIFAR10', 'TinyImageNet'):
        with pytest.raises(DataError, match=r'cannot be fetched .*(Not a directory|File exists)'):
            download_missing(dict(type=kind, root=tmp_path / 'file/set'))
    assert (tmp_path / 'file').read_text() == 'mine'


def test_without_a_network_it_says_where_to_get_it_and_where_to_put_it(tmp_path, monkeypatch):
    monkeypatch.setenv('no_proxy', '*')
    monkeypatch.setattr(cifar, 'SITE', 'http://127.0.0.1:9')  # nobody listens at the discard port
    with pytest.raises(DataError) as caught:
        download_missing(dict(type='CIFAR100', root=tmp_path))
    for part in (
        'http://127.0.0.1:9/cifar-100-binary.tar.gz',
        'Without a network',
        '03b5dce01913d631647c71ecec9e9cb8',
        str(tmp_path / 'cifar-100-binary.tar.gz'),
    ):
        assert part in str(caught.value)


def test_the_archives_are_looked_for_where_they_are_published():
    urls = [version.url for part in (CIFAR10, CIFAR100) for version in part.versions]
    assert urls == [
        f'https://www.cs.toronto.edu/~kriz/{name}.tar.gz'
        for name in ('cifar-10-binary', 'cifar-10-python', 'cifar-100-binary', 'cifar-100-python')
    ]
