"""``tools/extract_features.py``: features of a config's split as one file for other programs."""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from binssl.checkpoints.weights import check_output
from binssl.core.files import replace_file
from binssl.core.processes import by_the_first
from binssl.data_tools.browse import SPLITS
from binssl.datasets.download import add_download_flag, download_data
from binssl.engine.config import load_config, parse_options
from binssl.engine.launch import add_launch_flags, check_devices, processes
from binssl.engine.preflight import refuse
from binssl.engine.preflight_parts import check_parts
from binssl.features.folder import FeatureFolder, check_layers, extract_features, with_views_of
from binssl.features.layers import POOLS
from binssl.registry import ConfigError


def add_extraction_flags(parser: argparse.ArgumentParser) -> None:
    """Which features: the flags that commands of features share."""
    parser.add_argument('config', help='a config with data; its model is not read')
    parser.add_argument('weights', help='a weights file or training checkpoint, which says its network')
    parser.add_argument('--split', choices=SPLITS, default='val', help="whose loader's data; default: val")
    parser.add_argument('--views-of', choices=SPLITS, help="views of that split's loader: val for plain train images")
    pool_help = 'of maps: mean, to 1 x 1, or svm, to about 9,000 numbers; default: mean'
    parser.add_argument('--pool', choices=POOLS, default='mean', help=pool_help)
    parser.add_argument('--cache-features', metavar='DIR', help='keep the features in DIR, for other commands too')
    parser.add_argument('--force', action='store_true', help='overwrite the file')
    parser.add_argument('--cfg-options', nargs='+', action='extend', default=[], metavar='key=value')
    add_download_flag(parser)


def parse_extraction(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The flags of ``tools/extract_features.py``."""
    parser = argparse.ArgumentParser(prog='tools/extract_features.py', description="Write features of a split's images")
    add_extraction_flags(parser)
    layers_help = 'neck (what goes downstream; the default), feat1 to feat5, or modules: backbone.blocks.5'
    parser.add_argument('--layers', nargs='+', default=['neck'], metavar='LAYER', help=layers_help)
    parser.add_argument('--out', required=True, metavar='FILE', help='FILE.npz or FILE.safetensors')
    add_launch_flags(parser)
    return parser.parse_args(arguments)


def extract_to_file(args: argparse.Namespace) -> None:
    """Extract by all processes, write the file by the first.

    Raises:
        ConfigError: an unknown ending, a file that is there, a config without that split; see also
            :func:`extract_features`.
    """
    write = writer_for(args.out)
    cfg, loader = chosen_data(args, args.layers)
    check_output(args.weights, args.out, args.force)
    if problem := check_devices(args.check or 1, args.device):
        raise ConfigError(problem)
    if args.download and (args.check is not None or args.launcher == 'none'):
        download_data(cfg, [f'{args.split}_dataloader'])
    if args.check is not None:
        return
    with extracted(args, loader, args.layers, args.launcher) as features:
        by_the_first(lambda: _write(features, args.layers, write, Path(args.out)))


@contextmanager
def extracted(
    args: argparse.Namespace, loader: dict[str, Any], layers: Sequence[str], launcher: str = 'none'
) -> Iterator[FeatureFolder]:
    """The features, by all processes of a group; without ``--cache-features`` they stay while the block runs."""
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    root = Path(args.cache_features) if args.cache_features else out.with_name(f'.{out.name}.features')
    try:
        with processes(launcher, args.device) as device:
            yield extract_features(Path(args.weights), loader, layers, root, pool=args.pool, device=device)
    finally:
        if not args.cache_features and int(os.environ.get('RANK', 0)) == 0:
            shutil.rmtree(root, ignore_errors=True)


def chosen_data(args: argparse.Namespace, layers: Sequence[str]) -> tuple[Config, dict[str, Any]]:
    """The config and that of its split's loader, with the views that were asked for; the layers are there.

    Raises:
        ConfigError: the config has no such split, the file no such layers.
    """
    cfg = load_config(args.config, parse_options(args.cfg_options))
    names = [f'{split}_dataloader' for split in (args.split, args.views_of) if split]
    for name in names:
        if not cfg.get(name):
            there = [split for split in SPLITS if cfg.get(f'{split}_dataloader')]
            flag = '--views-of' if name != names[0] else '--split'
            remedy = f'give {flag} {" or ".join(there)}' if there else 'it has no data at all'
            raise ConfigError(f'{args.config} has no {name}: {remedy}')
    refuse('the data cannot be read', check_parts(Config({name: cfg[name] for name in names})))
    check_layers(args.weights, layers, args.pool)
    loader = cfg[names[0]].to_dict()
    if args.views_of:
        loader['dataset'] = with_views_of(loader['dataset'], cfg[names[1]].dataset.to_dict())
    return cfg, loader


def writer_for(out: str) -> Callable[[dict[str, np.ndarray], str, Path], None]:
    """What writes arrays and a JSON text into a file of that ending.

    Raises:
        ConfigError: the ending is unknown, or needs a library that is not installed.
    """
    ending = Path(out).suffix
    if ending == '.npz':
        return _write_npz
    if ending != '.safetensors':
        named = repr(ending) if ending else 'a file without an ending'
        raise ConfigError(f'{out}: features are written as .npz or .safetensors, not as {named}; change --out')
    try:
        from safetensors.numpy import save_file
    except ImportError as error:
        raise ConfigError('.safetensors needs safetensors: pip install "binssl[safetensors]"') from error
    return lambda arrays, facts, path: save_file(arrays, path, metadata={'facts': facts})


def _write_npz(arrays: dict[str, np.ndarray], facts: str, path: Path) -> None:
    with path.open('wb') as file:  # by its name, numpy would add an ending
        np.savez(file, **dict(arrays, facts=np.array(facts)))  # type: ignore[arg-type]  # its stubs mix up keywords


def _write(
    features: FeatureFolder, layers: Sequence[str], write: Callable[[dict[str, np.ndarray], str, Path], None], out: Path
) -> None:
    arrays = {layer: features.layer(layer) for layer in layers}
    facts = json.dumps({**features.facts, 'layers': {layer: rows.shape[1] for layer, rows in arrays.items()}})
    replace_file(out, lambda beside: write({**arrays, 'labels': features.labels}, facts, beside))
    shapes = ', '.join(f'{layer} {" x ".join(map(str, rows.shape))}' for layer, rows in arrays.items())
    print(f'{out}: {shapes}, and labels', flush=True)
