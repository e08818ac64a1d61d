"""``tools/browse_dataset.py``: what a config makes of its images, for a person to look at."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from PIL import Image
from torch import Tensor

from binssl.core.files import write_json
from binssl.data_tools.contact_sheet import SHEET_ROWS, Layout, Sample, draw_sheet, fit, tile_side
from binssl.datasets import ImageDataset, build_dataset
from binssl.datasets.download import download_data
from binssl.engine.config import load_config
from binssl.engine.preflight import refuse
from binssl.engine.preflight_parts import check_parts
from binssl.registry import ALGORITHMS, ConfigError

SPLITS = ('train', 'val', 'test')


def browse(
    config: str | Path,
    out: str | Path,
    images: int = 12,
    split: str = 'train',
    epoch: int = 0,
    options: Mapping[str, Any] | None = None,
    download: bool = False,
    force: bool = False,
) -> list[Path]:
    """Write contact sheets of a config's data, ``contact_sheet_NN.png``, and ``contact_sheet.json``.

    A sample's row has its original and its views, as they reach the network in ``epoch`` (what the model augments on
    the device included, normalisation undone). The JSON names for each sample its file, label and class, its sheet, and
    there the boxes of its pictures. The ``images`` samples are spread evenly over the set of the ``split``'s loader.

    Returns:
        The pictures written.

    Raises:
        ConfigError: no such split, a number that makes no sense, sheets that are there already.
    """
    if images < 1 or epoch < 0:
        raise ConfigError(f'--images {images} must be at least 1 and --epoch {epoch} at least 0')
    out = Path(out)
    if any(out.glob('contact_sheet*')) and not force:
        raise ConfigError(f'{out} already holds contact sheets; use --force to overwrite them, or another --out')
    cfg = load_config(config, options)
    dataset = build_split(cfg, split, download)
    chosen = spread(len(dataset), images)
    shown = _Views(cfg, split, dataset, epoch)
    dataset.original(chosen[0])  # a set that keeps none, or views that cannot be made, are an error now
    first = shown.batch(chosen[:1])[0][0]
    out.mkdir(parents=True, exist_ok=True)
    for stale in out.glob('contact_sheet_*.png'):
        stale.unlink()
    length = SHEET_ROWS * Layout(1, 1 + len(first), tile_side(first)).per_row
    pages = [chosen[start : start + length] for start in range(0, len(chosen), length)]
    return _write(out, shown, pages, dict(config=os.fspath(config), split=split, epoch=epoch))


def build_split(cfg: Config, split: str, download: bool = False) -> ImageDataset:
    """The data set of a split's loader, with the seed that a run of ``cfg`` gives it.

    Raises:
        ConfigError: the config has no such loader, or it is malformed.
    """
    name = f'{split}_dataloader'
    if not cfg.get(name):
        there = [other for other in SPLITS if cfg.get(f'{other}_dataloader')]
        raise ConfigError(f'the config has no {name}; --split can be {", ".join(there) or "nothing"} here')
    refuse('the data cannot be read', check_parts(Config({name: cfg[name]})))
    if download:
        download_data(cfg, [name])
    return build_dataset(cfg[name].dataset, cfg.randomness.get('seed') or 0)


def spread(length: int, count: int) -> list[int]:
    """``count`` indices below ``length``, or all where there are no more, evenly apart: [0, ..., length - 1]."""
    return np.linspace(0, length - 1, min(count, length)).round().astype(int).tolist()


class _Views:
    """Samples of a data set with the views that a network gets."""

    def __init__(self, cfg: Config, split: str, dataset: ImageDataset, epoch: int) -> None:
        self.dataset, self.epoch, self.training = dataset, epoch, split == 'train'
        config = (cfg.get('model') or {}).get('data_preprocessor')
        self.preprocessor: Any = ALGORITHMS.build(config) if config else None

    def batch(self, indices: Sequence[int]) -> tuple[list[list[Image.Image]], list[int]]:
        """For each of ``indices`` its views, and its label."""
        batch = self.dataset.batch([(index, self.epoch) for index in indices])
        if hasattr(self.preprocessor, 'std'):
            batch = self.preprocessor(batch, self.training)
        # (N, C, H, W) -> (N, H, W, C)
        views = [self._pixels(view).permute(0, 2, 3, 1).numpy() for view in batch['images']]
        pictures = [[Image.fromarray(picture) for picture in sample] for sample in zip(*views, strict=True)]
        return pictures, batch['labels'].tolist()

    def _pixels(self, view: Tensor) -> Tensor:
        """Views as uint8, a normalisation undone."""
        if view.is_floating_point():
            view = view * self.preprocessor.std + self.preprocessor.mean
        return view.round().clamp(0, 255).to(torch.uint8).cpu()


def _write(out: Path, shown: _Views, pages: Sequence[Sequence[int]], record: dict[str, Any]) -> list[Path]:
    data, rows, files = shown.dataset, list[dict[str, Any]](), list[Path]()
    for page in pages:
        pictures, labels = shown.batch(page)
        side = tile_side(pictures[0])
        samples, told = [], []
        for index, label, views in zip(page, labels, pictures, strict=True):
            original = data.original(index)
            name, class_name, readable = data.name(index), data.class_name(label), original is not None
            told.append(dict(index=index, file=name, label=label, class_name=class_name, readable=readable))
            note = ', '.join(['no label' if label < 0 else f'label {label}', *([class_name] if class_name else [])])
            if original is None:
                note = f'cannot be read: another image stands in for it ({note})'
            else:
                original = fit(original, side)  # a sheet's originals at full size may not fit in memory
            samples.append(Sample(name, note, [original, *views]))
        sheet, boxes = draw_sheet(samples, side)
        files.append(out / f'contact_sheet_{len(files) + 1:02d}.png')
        sheet.save(files[-1])
        rows += [dict(facts, sheet=files[-1].name, boxes=tiles) for facts, tiles in zip(told, boxes, strict=True)]
    write_json(out / 'contact_sheet.json', dict(record, images=len(data), samples=rows))
    return files
