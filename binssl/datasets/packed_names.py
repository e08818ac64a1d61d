"""A million file names in two arrays."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

_CHUNK = 65_536  # so many positions are Python integers at a time


class PackedNames:
    """Strings in two arrays: a million of them cost a worker no copy, as a million Python objects would.

    The arrays are tensors, which torch hands to a loader's workers in shared memory, however these are started.

    Args:
        names: taken one by one; bytes are names as the file system has them, in whatever encoding.
    """

    def __init__(self, names: Iterable[str | bytes] = ()) -> None:
        content, ends = bytearray(), array('q')
        for name in names:
            content += os.fsencode(name)
            ends.append(len(content))
        self._set(np.frombuffer(content, dtype=np.uint8), np.frombuffer(ends, dtype=np.int64))

    def _set(self, content: np.ndarray, ends: np.ndarray) -> None:
        self._content: Tensor = torch.from_numpy(content)
        self._ends: Tensor = torch.from_numpy(ends)

    @classmethod
    def from_arrays(cls, content: np.ndarray, ends: np.ndarray) -> PackedNames:
        """What :meth:`arrays` gave."""
        names = cls()
        names._set(content, ends)
        return names

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """The bytes of all names in a row, uint8, and where each name ends there, int64 (N,)."""
        return self._content.numpy(), self._ends.numpy()

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> str:
        return os.fsdecode(self.raw(index))

    def raw(self, index: int) -> bytes:
        """The ``index``-th name as the file system has it."""
        content, ends = self.arrays()
        return content[ends[index - 1] if index else 0 : ends[index]].tobytes()

    def raw_of(self, places: np.ndarray) -> Iterator[bytes]:
        """The names at ``places``, int64 (M,), as the file system has them; faster than one by one."""
        content, ends = self.arrays()
        view = content.data
        for start in range(0, len(places), _CHUNK):
            some = places[start : start + _CHUNK]
            begins = np.where(some > 0, ends[some - 1], 0)
            for begin, end in zip(begins.tolist(), ends[some].tolist(), strict=True):
                yield view[begin:end].tobytes()
