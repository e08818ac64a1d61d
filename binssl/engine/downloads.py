"""``--download``: data sets that a config names and this machine lacks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mmengine.config import Config

from binssl.registry import FUNCTIONS

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


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
    download_missing: Any = FUNCTIONS.get('download_missing')
    for name in loaders:
        if cfg.get(name):
            for line in download_missing(cfg[name].dataset.to_dict()):
                print(line, flush=True)
