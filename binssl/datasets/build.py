"""Data sets from their configs, those that know nothing of the contract among them."""

from __future__ import annotations

import hashlib
import inspect
from typing import Any

import numpy as np
import torch
from torch import Tensor

from binssl.datasets.base import ImageDataset
from binssl.registry import DATASETS, ConfigError


class PlainDataset(ImageDataset):
    """A registered set that gives dicts as ours do and knows nothing of the contract; what it has of it, it keeps.

    It is asked for plain indices. One that draws by the epoch derives from :class:`ImageDataset`, and is asked for
    (index, epoch).
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        for name in ('split', 'labels', 'num_classes', 'classes', 'images'):
            if getattr(dataset, name, None) is not None:
                setattr(self, name, getattr(dataset, name))
        if self.labels is not None:
            self.labels = np.asarray(torch.as_tensor(self.labels).cpu())

    @property
    def kind(self) -> str:
        return type(self.dataset).__name__

    @property
    def num_views(self) -> int:
        images = self[0]['images']
        return 1 if isinstance(images, Tensor) else len(images)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        (index,), _ = self.split_keys([key])
        sample = self.dataset[int(index)]
        if not isinstance(sample, dict) or 'images' not in sample:
            rule = 'not a dict with images, labels and indices: a set of (image, label) is named inside another'
            remedy = f"dict(type='TorchDataset', dataset=dict(type={self.kind!r}, ...), views=[...])"
            raise ConfigError(f'{self.kind} gives {type(sample).__name__}, {rule}, {remedy}')
        return sample

    def fingerprint(self) -> str:
        """See :class:`ImageDataset`; from the set's own ``fingerprint()`` where it has one."""
        own = getattr(self.dataset, 'fingerprint', None)
        return hashlib.sha256(own().encode()).hexdigest() if own else super().fingerprint()


def build_dataset(config: Any, seed: int | None = None) -> ImageDataset:
    """A data set from its config; one that knows nothing of the contract comes as a :class:`PlainDataset`.

    ``seed`` is for a set that takes one and whose config names none.

    Raises:
        ConfigError: no such set, or stray or missing keys.
    """
    dataset = build_any_dataset(config, seed)
    return dataset if isinstance(dataset, ImageDataset) else PlainDataset(dataset)


def build_any_dataset(config: Any, seed: int | None = None) -> Any:
    """As :func:`build_dataset`, as it comes: also what gives no samples like ours."""
    DATASETS.check(config)
    part: Any = DATASETS.get(config['type']) if isinstance(config['type'], str) else config['type']
    takes_seed = seed is not None and 'seed' in inspect.signature(part).parameters
    return DATASETS.build(dict(config), default_args=dict(seed=seed) if takes_seed else None)
