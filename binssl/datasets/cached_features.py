"""Features that a frozen trunk has made already, in the place of images."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from binssl.core.files import load_array, read_json
from binssl.datasets.base import BatchedDataset
from binssl.registry import DATASETS, DataError, nearest_names

#: what features.json must say; see :func:`binssl.core.files.read_json`
FORM: dict[str, Any] = dict(layers={...: int}, files={...: str}, num_classes=(int, None), classes=([str], None))


@DATASETS.register_module()
class CachedFeatures(BatchedDataset):
    """The features in a folder that ``benchmarks/dist_train_linear.sh --cache-features`` wrote.

    A sample is the same in every epoch: ``images`` is a list of one float32 (D,), and ``labels`` and ``indices`` are
    the image's. Features stay on the disk until they are read.

    Args:
        folder: the folder.
        layer: which of its layers.
        seed: nothing here is random; every data set has one.

    Raises:
        DataError: there is no such folder or layer, or it is not whole.
    """

    labels: np.ndarray

    def __init__(self, folder: str | Path, layer: str = 'neck', seed: int = 0) -> None:
        self.folder, self.seed = Path(folder), seed
        facts = read_json(self.folder / 'features.json', **FORM)
        if not facts:
            maker = 'benchmarks/dist_train_linear.sh CONFIG WEIGHTS --cache-features DIR'
            raise DataError(f'{folder} holds no features (no features.json, or a damaged one); {maker} makes them')
        if layer not in facts['layers']:
            raise DataError(f'{folder} has no features of layer {layer!r}; {nearest_names(layer, facts["layers"])}')
        try:
            self.features = load_array(self.folder / f'{layer}.npy', mmap_mode='r')
            self.labels = load_array(self.folder / 'labels.npy')
            rows, labels = self.features, self.labels
            if rows.dtype != np.float32 or labels.dtype.kind != 'i' or rows.ndim != 2 or labels.ndim not in (1, 2):
                raise ValueError(f'features {rows.dtype} {rows.shape} and labels {labels.dtype} {labels.shape}')
            if len(rows) != len(labels) or rows.shape[1] != facts['layers'][layer]:
                raise ValueError(f'{len(rows)} rows of features, {len(labels)} of labels')
            self._sha256 = facts['files'][f'{layer}.npy'] + facts['files']['labels.npy']
        except KeyError as error:
            raise DataError(f'{folder} is not whole (no {error}): remove it, and it is made again') from error
        except (OSError, ValueError) as error:
            raise DataError(f'{folder} is not whole ({error}): remove it, and it is made again') from error
        self.num_classes, self.classes = facts['num_classes'], facts['classes']

    def __len__(self) -> int:
        return len(self.features)

    def __getitems__(self, keys: Sequence[int | tuple[int, int]]) -> dict[str, Any]:
        indices, _ = self.split_keys(keys)
        return dict(
            images=[torch.from_numpy(self.features[indices])],
            labels=torch.from_numpy(self.labels[indices]),
            indices=torch.from_numpy(indices),
        )

    def fingerprint(self) -> str:
        """The hash of the hashes of features and labels."""
        return hashlib.sha256(self._sha256.encode()).hexdigest()
