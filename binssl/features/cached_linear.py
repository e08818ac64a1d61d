"""Linear evaluation on features that are computed once: the frozen trunk runs over each image a single time."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process

from binssl.datasets.download import LOADERS, download_data
from binssl.engine.launch import processes
from binssl.engine.training import parse_training, train, training_config
from binssl.features.folder import FeatureFolder, extract_features, with_views_of
from binssl.registry import ConfigError

#: of a classifier, what needs images and not features
NEEDS_IMAGES = ('teacher', 'mix')


def parse_caching(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The flags of ``tools/train.py``, and two more."""
    parser = argparse.ArgumentParser(prog='tools/cache_features.py', add_help=False, allow_abbrev=False)
    parser.add_argument('--cache-features', required=True, metavar='DIR', help='where folders of features are kept')
    parser.add_argument('--arguments', metavar='FILE', help='write what tools/train.py is to be given, a line each')
    own, rest = parser.parse_known_args(arguments)
    return argparse.Namespace(**vars(parse_training(rest)), **vars(own))


def cache_features(args: argparse.Namespace) -> None:
    """Check the run, or extract the features that it reads and write the arguments with which it reads them.

    The features are without augmentation: the views of the training images are those of the validation.

    Raises:
        ConfigError: everything that is wrong with the run; a trunk that learns, or something that needs images.
    """
    cfg = training_config(args)
    _check_frozen(cfg)
    args.work_dir = args.work_dir or _work_dir_on_features(cfg.work_dir)
    if args.check is not None:
        train(args)
        return
    if args.download and args.launcher == 'none':
        download_data(cfg)
    with processes(args.launcher, args.device) as device:
        folders = {name: _extract(cfg, name, args, device) for name in LOADERS[:2] if cfg.get(name)}  # no test
        if args.arguments and int(os.environ.get('LOCAL_RANK', 0)) == 0:  # each node starts its own processes
            lines = ['--work-dir', args.work_dir, '--cfg-options', *_options(cfg, folders)]
            Path(args.arguments).write_text(''.join(f'{line}\n' for line in lines), encoding='utf-8')


def _check_frozen(cfg: Config) -> None:
    model = cfg.get('model') or {}
    learning = [part for part in ('backbone', 'neck') if part not in (model.get('frozen') or ())]
    if learning:
        raise ConfigError(
            f'features can be kept only of a trunk that stays as it is, and {" and ".join(learning)} '
            "learns here: set model.frozen=['backbone', 'neck'], or leave --cache-features out"
        )
    given = [key for key in NEEDS_IMAGES if model.get(key)]
    if given:
        raise ConfigError(
            f'model.{given[0]} needs images, and with --cache-features there are only features of them: '
            'leave one of the two out'
        )
    if not cfg.get('pretrained'):
        raise ConfigError('--cache-features needs the weights whose features are kept: --pretrained WEIGHTS')


def _work_dir_on_features(work_dir: str) -> str:
    """A folder beside that of the run on images, which is another experiment."""
    folder = Path(work_dir)
    return str(folder.parent.with_name(f'{folder.parent.name}_on_features') / folder.name)


def _extract(cfg: Config, name: str, args: argparse.Namespace, device: torch.device) -> FeatureFolder:
    plain_loader = cfg.get('val_dataloader') or cfg[name]
    dataset = with_views_of(cfg[name].dataset.to_dict(), plain_loader.dataset.to_dict())
    if is_main_process():
        whose = "the validation's views, no augmentation" if name == 'train_dataloader' else 'the views of the config'
        print(f'features of {name}, {whose}', file=sys.stderr, flush=True)
    loader = {**plain_loader, 'dataset': dataset}
    return extract_features(Path(cfg.pretrained), loader, root=Path(args.cache_features), device=device)


def _options(cfg: Config, folders: dict[str, FeatureFolder]) -> list[str]:
    """What puts the features in the place of the images."""
    options = []
    for name, features in folders.items():
        dataset: dict[str, Any] = dict(_delete_=True, type='CachedFeatures', folder=str(features.path.absolute()))
        options += [f'{name}.dataset={dataset!r}', f'{name}.num_workers=0']
    if (cfg.model.get('data_preprocessor') or {}).get('views'):
        options.append('model.data_preprocessor.views=None')  # augmentation that is left to the device
    return options
