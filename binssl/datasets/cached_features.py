"""Features that a frozen trunk has made already, in the place of images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from binssl.datasets.base import BatchedDataset
from binssl.registry import DATASETS, DataError, nearest_names


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
        try:
            facts = json.loads((self.folder / 'features.json').read_text(encoding='utf-8'))
        except (OSError, ValueError) as error:
            maker = 'benchmarks/dist_train_linear.sh CONFIG WEIGHTS --cache-features DIR'
            raise DataError(f'{folder} holds no features (features.json: {error}); {maker} makes them') from error
        if layer not in facts['layers']:
            raise DataError(f'{folder} has no features of layer {layer!r}; {nearest_names(layer, facts["layers"])}')
        try:
            self.features = np.load(self.folder / f'{layer}.npy', mmap_mode='r')
            self.labels = np.load(self.folder / 'labels.npy')
            if len(self.features) != len(self.labels) or self.features.shape[1] != facts['layers'][layer]:
                raise ValueError(f'{len(self.features)} rows of features, {len(self.labels)} of labels')
        except (OSError, ValueError) as error:
            raise DataError(f'{folder} is not whole ({error}): remove it, and it is made again') from error
        self.num_classes, self.classes = facts['num_classes'], facts['classes']
        self._sha256 = facts['files'][f'{layer}.npy'] + facts['files']['labels.npy']

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
