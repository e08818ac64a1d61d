"""scikit-learn's handwritten digits, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from binssl.datasets.counter import hash_counters, split_keys
from binssl.datasets.views import DIGITS_BATCH, build_views
from binssl.registry import DATASETS, ConfigError, nearest_names

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
        raise ImportError('the digits come with scikit-learn: pip install "binssl[digits]"') from error
    digits = load_digits()
    # values 0 to 16 become 0 to 255
    return np.rint(digits.images * (255 / 16)).astype(np.float32), digits.target.astype(np.int64)


@DATASETS.register_module()
class Digits(Dataset):
    """1,797 handwritten digits, 8 x 8, one channel repeated to three (Alpaydin and Kaynak, UCI).

    A sample is asked for by (index, epoch), a bare index means epoch 0, and comes as ``images`` (a list with
    a uint8 tensor (3, H, W) per view), ``labels`` and ``indices``. A loader asks for whole batches
    (``__getitems__``) and gets them ready made: its ``collate_fn`` is ``whole_batch``.

    Args:
        split: ``train`` (the first 1,437), ``test`` (the last 360; harder than a random split), or ``fit``
            and ``held_out``, the first 80 % and the last 20 % of train, to choose settings on.
        views: one config of a batch transform (``DigitsAugment``) per view. None: one view, the plain image.
        seed: augmentation depends on (seed, epoch, index) and the view's place in the list.
    """

    num_classes = 10

    def __init__(self, split: str = 'train', views: Sequence[dict] | None = None, seed: int = 0) -> None:
        if split not in SPLITS:
            raise ConfigError(f'Digits has no split {split!r}; {nearest_names(split, SPLITS)}')
        images, labels = _read_digits()
        self.split, self.seed = split, seed
        self.images, self.labels = (part[slice(*SPLITS[split])] for part in (images, labels))
        plain = [dict(type='DigitsAugment')]
        self.views = build_views(plain if views is None else views, owner='Digits', takes=DIGITS_BATCH)

    @property
    def num_views(self) -> int:
        """Images that one sample has."""
        return len(self.views)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        batch = self.__getitems__([key])
        return dict(
            images=[view[0] for view in batch['images']],
            labels=int(batch['labels'][0]),
            indices=int(batch['indices'][0]),
        )

    def __getitems__(self, keys: Sequence[int | tuple[int, int]]) -> dict[str, Any]:
        """The batch of ``keys``: ``images`` V x uint8 (N, 3, H, W), ``labels`` and ``indices`` int64 (N,)."""
        indices, epochs = split_keys(keys)
        originals = self.images[indices]
        views = [
            torch.from_numpy(view(originals, hash_counters(self.seed, epochs, indices, stream)))
            for stream, view in enumerate(self.views)
        ]
        return dict(
            images=[view[:, None].repeat(1, 3, 1, 1) for view in views],
            labels=torch.from_numpy(self.labels[indices]),
            indices=torch.from_numpy(indices),
        )
