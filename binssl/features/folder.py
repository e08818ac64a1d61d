"""Features of a data set under a trained network, computed once and kept in a folder that is known by its hashes."""

from __future__ import annotations

import copy
import inspect
import os
import platform
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import barrier

import binssl
from binssl.checkpoints import load_model, read_trained
from binssl.checkpoints.weights import inference_config
from binssl.core.files import file_sha256, load_array, read_json, write_json
from binssl.core.processes import by_the_first
from binssl.datasets import ImageDataset, build_dataset
from binssl.datasets.cached_features import FORM
from binssl.engine.experiment import config_hash, plain
from binssl.features.layers import LayerReader
from binssl.features.rows import LABELS, RowFile, RowMaker, check_plain_views
from binssl.registry import ALGORITHMS, DATASETS, ConfigError

FACTS = 'features.json'
ROOT = Path('work_dirs/features')


@dataclass(frozen=True)
class FeatureFolder:
    """A folder of features: ``LAYER.npy`` float32 (N, D) in the data's order, ``labels.npy``, ``features.json``.

    Args:
        path: the folder.
        labels: int64 (N,), -1 where unknown, or int8 (N, C) of images with several labels.
        facts: where the features come from: SHA-256 of the weights and of the data, views, pool, layers with their
            widths, files with their SHA-256, versions, number of images and classes.
    """

    path: Path
    labels: np.ndarray
    facts: dict[str, Any]

    @classmethod
    def open(cls, path: Path) -> FeatureFolder:
        """The folder at ``path``; a ConfigError where there is none, or a damaged one."""
        if not (path / FACTS).is_file():
            raise ConfigError(f'{path} holds no features: it has no {FACTS}')
        facts = read_json(path / FACTS, **FORM, **dict.fromkeys(('weights', 'data', 'pool'), str), views=(list, dict))
        if not facts:
            raise ConfigError(f'{path / FACTS} is damaged: remove the folder {path}, and it is made again')
        return cls(path, _load(path / f'{LABELS}.npy'), facts)

    def layer(self, name: str) -> np.ndarray:
        """Features of one layer, float32 (N, D), read-only and left on the disk until they are read."""
        if name not in self.facts['layers']:
            raise ConfigError(f'{self.path} has no layer {name!r}; it has {", ".join(self.facts["layers"])}')
        return _load(self.path / f'{name}.npy', mmap_mode='r')

    def check(self) -> None:
        """Raises a ConfigError where a file is gone, or has another SHA-256 than it was written with."""
        for name, sha256 in self.facts['files'].items():
            if not (self.path / name).is_file() or file_sha256(self.path / name) != sha256:
                raise ConfigError(
                    f'{self.path / name} is not as it was written: remove the folder, and it is made again'
                )


def _load(file: Path, mmap_mode: str | None = None) -> np.ndarray:
    try:
        return load_array(file, mmap_mode)
    except (OSError, ValueError) as error:
        raise ConfigError(f'{file} is damaged ({error}): remove the folder, and it is made again') from error


def extract_features(
    weights: Path,
    loader: Mapping[str, Any],
    layers: Sequence[str] = ('neck',),
    root: Path = ROOT,
    *,
    pool: str = 'mean',
    device: torch.device,
) -> FeatureFolder:
    """Features of every image of a data set, by all processes of a group together, or as they were kept.

    Batches are of the same images for any number of processes, and so are the features. The folder below ``root`` is
    named by the hash of the weights, of the data, of the views and of the pool; layers that it lacks are added. It is
    written under another name and renamed when it is whole.

    Args:
        weights: file of a trained network.
        loader: config of a loader, of which these are read: ``dataset``, with one view, free of randomness, and of each
            process ``batch_size`` (256) and ``num_workers`` (none for images in memory, else up to 4).
        layers: see :class:`LayerReader`.
        root: where feature folders are kept.
        pool: 'mean' or 'svm', of maps.
        device: of this process.

    Raises:
        ConfigError: weights without a trunk, layers that do not exist, views that are random, images that cannot be
            decoded, features that are not finite, or kept ones that have changed; before the first batch where that can
            be known.
    """
    model: Any = load_model(weights, device)
    LayerReader(model, layers, pool)  # a layer that does not exist is an error now
    data = build_dataset(loader['dataset'], seed=0)
    data.refuse_bad()
    check_plain_views(data)
    facts = by_the_first(lambda: _facts(weights, loader['dataset'], data, pool))
    sources = {key: facts[key] for key in ('weights', 'data', 'views', 'pool')}
    folder = Path(root) / config_hash(sources)[:16]
    lacking = by_the_first(lambda: _lacking(folder, layers))
    if lacking:
        _extract(folder, RowMaker(LayerReader(model, lacking, pool), data, device), facts, loader)
    features = FeatureFolder.open(folder)
    barrier()  # a caller may remove the folder: not before all have opened it
    return features


def check_layers(weights: str | Path, layers: Sequence[str], pool: str) -> None:
    """Raises a ConfigError where the network of a weights file has no such layers; see :class:`LayerReader`."""
    LayerReader(ALGORITHMS.build(inference_config(read_trained(weights).model)), layers, pool)


def views_of(dataset: Mapping[str, Any]) -> Any:
    """Of a data set's config what decides how its images look: types and views, with those of its parts."""
    parts = {key: views_of(value) for key, value in dataset.items() if isinstance(value, Mapping)}
    return {'type': dataset['type'], 'views': plain(dataset.get('views')), **parts}


def with_views_of(dataset: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the data set's config with the views of the ``other``'s, each where its images get them."""
    changed = copy.deepcopy(dict(dataset))
    if _views_are_inside(changed):
        return {**changed, 'dataset': with_views_of(changed['dataset'], other)}
    while _views_are_inside(other):
        other = other['dataset']
    changed.pop('views', None)
    return {**changed, 'views': copy.deepcopy(other['views'])} if 'views' in other else changed


def _views_are_inside(dataset: Mapping[str, Any]) -> bool:
    """Whether the images get their views in the set that this one is made from: it takes none itself."""
    DATASETS.check(dataset)
    return 'dataset' in dataset and 'views' not in inspect.signature(DATASETS.get(dataset['type'])).parameters


def _facts(weights: Path, dataset: Mapping[str, Any], data: ImageDataset, pool: str) -> dict[str, Any]:
    return dict(
        weights=file_sha256(weights),
        weights_name=Path(weights).name,
        data=data.fingerprint(),
        dataset=plain(dict(dataset)),
        views=views_of(dataset),
        pool=pool,
        images=len(data),
        num_classes=data.num_classes,
        classes=data.classes,
        versions=dict(binssl=binssl.__version__, torch=torch.__version__, numpy=np.__version__),
        layers={},
        files={},
    )


def _lacking(folder: Path, layers: Sequence[str]) -> list[str]:
    """Those of ``layers`` that the folder does not hold; what it holds is checked."""
    if not (folder / FACTS).is_file():
        return list(layers)
    kept = FeatureFolder.open(folder)
    kept.check()
    return [layer for layer in layers if layer not in kept.facts['layers']]


def _extract(folder: Path, maker: RowMaker, facts: dict[str, Any], loader: Mapping[str, Any]) -> None:
    first = maker.first_rows()  # what cannot be computed is an error now
    unfinished = Path(by_the_first(lambda: str(_begin(folder, first, facts['images']))))
    try:
        maker.write(unfinished, first, loader.get('batch_size') or 256, loader.get('num_workers'))
        barrier()
        by_the_first(lambda: _finish(unfinished, folder, facts))
    except BaseException:  # no word to the others: they may be anywhere, and end with this process
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _begin(folder: Path, first: Mapping[str, np.ndarray], images: int) -> Path:
    """An unfinished folder with files of so many rows; those of runs that were killed here are removed."""
    host = platform.node()
    folder.parent.mkdir(parents=True, exist_ok=True)
    for leftover in folder.parent.glob(f'.{folder.name}.{host}.*.tmp'):
        if not Path('/proc', leftover.name.split('.')[-2]).exists():
            shutil.rmtree(leftover, ignore_errors=True)
    unfinished = folder.parent / f'.{folder.name}.{host}.{os.getpid()}.tmp'
    unfinished.mkdir()
    for name, rows in first.items():
        RowFile.create(unfinished / f'{name}.npy', images, rows)
    return unfinished


def _finish(unfinished: Path, folder: Path, facts: dict[str, Any]) -> None:
    """Give the folder its name; where it is there already, it gets the files that it lacks."""
    made = {file.name: file_sha256(file) for file in sorted(unfinished.glob('*.npy'))}
    if not (folder / FACTS).is_file():
        _write_facts(unfinished, facts, made)
        with suppress(OSError):  # another run may have been faster
            unfinished.rename(folder)
            return
    kept = FeatureFolder.open(folder).facts
    lacked = {name: sha256 for name, sha256 in made.items() if name not in kept['files']}
    for name in lacked:
        os.replace(unfinished / name, folder / name)
    _write_facts(folder, kept, {**kept['files'], **lacked})
    shutil.rmtree(unfinished)


def _write_facts(folder: Path, facts: dict[str, Any], files: dict[str, str]) -> None:
    stems = [Path(name).stem for name in files if name != f'{LABELS}.npy']
    layers = {name: int(load_array(folder / f'{name}.npy', mmap_mode='r').shape[1]) for name in stems}
    write_json(folder / FACTS, {**facts, 'layers': layers, 'files': files})
