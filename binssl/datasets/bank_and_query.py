"""What an evaluation of features reads: samples to learn from, and samples to score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import Dataset, default_collate

from binssl.datasets.classes import check_same_classes
from binssl.datasets.collate import whole_batch
from binssl.registry import DATASETS, ConfigError


@DATASETS.register_module()
class BankAndQuery(Dataset):
    """The bank's samples, then the query's, with ``banks`` that tells them apart.

    ``indices`` count through both. ``banks`` is True for samples whose labels may be learnt from and False
    for those that are scored.

    Args:
        bank: config of the data set to learn from.
        query: config of the data set to score.
        seed: handed to both where their configs name none.

    Raises:
        ConfigError: the two have different numbers of views, or different classes.
    """

    def __init__(self, bank: dict, query: dict, seed: int = 0) -> None:
        self.bank, self.query = (DATASETS.build(part, default_args=dict(seed=seed)) for part in (bank, query))
        self.seed = seed
        if self.bank.num_views != self.query.num_views:
            raise ConfigError(
                f'BankAndQuery: the bank has {self.bank.num_views} views and the query '
                f'{self.query.num_views}; both need the same number'
            )
        check_same_classes(self.bank, self.query, "BankAndQuery's bank", 'its query')

    @property
    def num_views(self) -> int:
        """Images that one sample has."""
        return self.bank.num_views

    def __len__(self) -> int:
        return len(self.bank) + len(self.query)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        index, epoch = key if isinstance(key, tuple) else (key, 0)
        if not 0 <= index < len(self):
            raise IndexError(f'index {index} is not among the {len(self)} samples')
        in_bank = index < len(self.bank)
        part, offset = (self.bank, 0) if in_bank else (self.query, len(self.bank))
        sample = part[(index - offset, epoch)]
        return dict(sample, indices=index, banks=in_bank)

    def __getitems__(self, keys: Sequence[int | tuple[int, int]]) -> dict[str, Any]:
        """The batch of ``keys``: made whole where a part makes whole batches, else sample by sample."""
        pairs = [key if isinstance(key, tuple) else (key, 0) for key in keys]
        in_bank = [index < len(self.bank) for index, _ in pairs]
        part, offset = (self.bank, 0) if all(in_bank) else (self.query, len(self.bank))
        mixed = any(in_bank) and not all(in_bank)  # one batch of an ordered epoch at most
        if mixed or not hasattr(part, '__getitems__'):
            return default_collate([self[pair] for pair in pairs])
        batch = whole_batch(part.__getitems__([(index - offset, epoch) for index, epoch in pairs]))
        indices = torch.tensor([index for index, _ in pairs])
        return dict(batch, indices=indices, banks=torch.tensor(in_bank))
