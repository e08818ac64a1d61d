"""Fetching the small data sets from where they are published."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torchvision.datasets.utils import check_integrity, download_url, extract_archive

from binssl.datasets import tiny_imagenet
from binssl.datasets.cifar import CIFAR10, CIFAR100
from binssl.registry import DataError

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_PARTS = ('bank', 'query', 'dataset')  # of BankAndQuery, of a set made of another one


def add_download_flag(parser: Any) -> None:
    """``--download``, for the parser of a command."""
    parser.add_argument(
        '--download', action='store_true', help='fetch the data sets that are not there (CIFAR, TinyImageNet)'
    )


def download_data(cfg: Config, loaders: Iterable[str] = LOADERS) -> None:
    """Fetch what the data sets of ``cfg`` lack, and print what came.

    Raises:
        DataError: there is no network, or what came is not what it should be.
    """
    for name in loaders:
        if cfg.get(name):
            for line in download_missing(cfg[name].dataset.to_dict()):
                print(line, flush=True)


def download_missing(dataset: dict) -> list[str]:
    """Fetch what the config of a data set reads and is not there; one process of a run does so, before the others read.

    A CIFAR stays in its archive, which the data set reads; TinyImageNet is extracted. What is there already, whole or
    not, is left alone.

    Sets that are published otherwise (ImageNet, digits) are passed by. Returns what was fetched, one line each.
    """
    parts = [dataset[part] for part in _PARTS if isinstance(dataset.get(part), dict)]
    lines = [line for part in parts for line in download_missing(part)]
    kind, root = dataset.get('type'), dataset.get('root')
    for data in (CIFAR10, CIFAR100):
        if kind == data.__name__:
            lines += _fetch_cifar(data, Path(root or data.default_root))
    if kind == 'TinyImageNet':
        lines += _fetch_tiny_imagenet(Path(root or tiny_imagenet.TinyImageNet.default_root))
    return lines


def _fetch_cifar(data: type[CIFAR10] | type[CIFAR100], root: Path) -> list[str]:
    if data.find(root) is not None:
        return []
    version = data.versions[0]
    _fetch(version.url, version.md5, root / version.archive)
    return [f'{data.full_name}: fetched {version.url} into {os.fspath(root)!r}']


def _fetch_tiny_imagenet(root: Path) -> list[str]:
    if root.is_dir() and any(root.iterdir()):
        return []
    archive = root.parent / 'tiny-imagenet-200.zip'
    _fetch(tiny_imagenet.URL, tiny_imagenet.MD5, archive)
    _extract(archive, 'tiny-imagenet-200', root)
    return [f'TinyImageNet: fetched {tiny_imagenet.URL} and extracted it to {os.fspath(root)!r}']


def _extract(archive: Path, folder: str, root: Path) -> None:
    """Extracts the ``folder`` that ``archive`` holds to ``root``, which is there as a whole or not at all."""
    try:
        # into a folder of its own first: an interrupted extraction leaves nothing that looks like the set
        with tempfile.TemporaryDirectory(dir=root.parent, prefix=f'{folder}-', ignore_cleanup_errors=True) as place:
            extract_archive(os.fspath(archive), place)
            (Path(place) / folder).replace(root)
    except OSError as error:
        remedy = f'make room, and --download goes on; or extract it elsewhere and name its {folder!r} as dataset.root'
        told = f'{os.fspath(archive)!r} cannot be extracted to {os.fspath(root)!r} ({error})'
        raise DataError(f'{told}. It is whole and stays: {remedy}') from error


def _fetch(url: str, md5: str, file: Path) -> None:
    """Downloads ``url`` to ``file``, which is there as a whole or not at all."""
    part = file.with_name(f'{file.name}.part')
    was_there = file.parent.is_dir()
    try:
        if check_integrity(os.fspath(file), md5):
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        download_url(url, os.fspath(file.parent), part.name, md5)
        part.replace(file)
    except (OSError, RuntimeError, HTTPException) as error:
        remedy = f'fetch it elsewhere (MD5 {md5}), put it at {os.fspath(file.absolute())!r} and use --download again'
        raise DataError(f'{url} cannot be fetched ({error}). Without a network: {remedy}') from error
    finally:
        with suppress(OSError):  # neither may ever have come to be, and a folder that holds the file stays
            part.unlink(missing_ok=True)
            if not was_there:
                file.parent.rmdir()
