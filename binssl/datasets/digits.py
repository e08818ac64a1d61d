"""scikit-learn's handwritten digits, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from binssl.datasets.base import BatchedDataset, make_batch
from binssl.datasets.checks import check_split
from binssl.registry import DATASETS, ConfigError
from binssl.views.build import DIGITS_BATCH, build_views

_TRAIN, _FIT, _ALL = 1437, 1149, 1797
SPLITS = {
    'train': (0, _TRAIN),
    'test': (_TRAIN, _ALL),
    'fit': (0, _FIT),  # the first 80 % of train
    'held_out': (_FIT, _TRAIN),  # the last 20 % of train
}


@lru_cache(maxsize=1)
def _read_digits() -> tuple[np.ndarray, np.ndarray]:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ConfigError('the digits come with scikit-learn: pip install "binssl[digits]"') from error
    digits = load_digits()
    # values 0 to 16 become 0 to 255
    return np.rint(digits.images * (255 / 16)).astype(np.float32), digits.target.astype(np.int64)


@DATASETS.register_module()
class Digits(BatchedDataset):
    """1,797 handwritten digits, 8 x 8, one channel repeated to three (Alpaydin and Kaynak, UCI).

    Args:
        split: ``train`` (the first 1,437), ``test`` (the last 360; harder than a random split), or ``fit``
            and ``held_out``, the first 80 % and the last 20 % of train, to choose settings on.
        views: one config of a batch transform (``DigitsAugment``) per view. None: one view, the plain image.
        seed: of the augmentation.
    """

    num_classes = 10
    images: np.ndarray
    labels: np.ndarray

    def __init__(self, split: str = 'train', views: Sequence[dict] | None = None, seed: int = 0) -> None:
        check_split('Digits', split, SPLITS)
        self.split, self.seed = split, seed
        self.images, self.labels = (part[slice(*SPLITS[split])] for part in _read_digits())
        plain = [dict(type='DigitsAugment')]
        self.views = build_views(plain if views is None else views, owner='Digits', takes=DIGITS_BATCH)

    def __len__(self) -> int:
        return len(self.images)

    def __getitems__(self, keys: Sequence[int | tuple[int, int]]) -> dict[str, Any]:
        indices, epochs = self.split_keys(keys)
        originals, drawn = self.images[indices], self.draw_keys(indices, epochs)
        views = [torch.from_numpy(view(originals, own)) for view, own in zip(self.views, drawn, strict=True)]
        return make_batch([view[:, None].repeat(1, 3, 1, 1) for view in views], self.labels[indices], indices, drawn)
