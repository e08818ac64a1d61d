"""An index of image files with labels, small enough for a million of them in every worker of a loader."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from binssl.registry import DataError

UNKNOWN = -1  # the label of an image that has none


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
        self._content = torch.from_numpy(np.frombuffer(content, dtype=np.uint8))
        self._ends = torch.from_numpy(np.frombuffer(ends, dtype=np.int64))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> str:
        return os.fsdecode(self.raw(index))

    def raw(self, index: int) -> bytes:
        """The ``index``-th name as the file system has it."""
        ends = self._ends.numpy()
        return self._content.numpy()[ends[index - 1] if index else 0 : ends[index]].tobytes()

    def raw_of(self, places: np.ndarray) -> Iterator[bytes]:
        """The names at ``places``, int64 (M,), as the file system has them; faster than one by one."""
        view, ends = self._content.numpy().data, self._ends.numpy()
        begins = np.where(places > 0, ends[places - 1], 0)
        for begin, end in zip(begins, ends[places], strict=True):
            yield view[begin:end].tobytes()


class FileIndex:
    """Image files with labels; loader workers share its arrays.

    Args:
        folder: what the N names are relative to.
        names: of the files.
        labels: int64 (N,), -1 where unknown.
        classes: names of the class folders that made the labels, where such did.
    """

    def __init__(
        self, folder: str | Path, names: PackedNames, labels: np.ndarray, classes: list[str] | None = None
    ) -> None:
        self.folder, self.names, self.classes = os.fspath(folder), names, classes
        self._labels = torch.from_numpy(labels)

    @property
    def labels(self) -> np.ndarray:
        """int64 (N,), -1 where unknown."""
        return self._labels.numpy()

    def __len__(self) -> int:
        return len(self.names)

    def path(self, index: int) -> str:
        """Where the ``index``-th image is."""
        return os.path.join(self.folder, self.names[index])

    def check_readable(self) -> FileIndex:
        """The index itself, if its first, middle and last images can be opened; else a DataError."""
        for place in (0, len(self) // 2, len(self) - 1):
            try:
                with open(self.path(place), 'rb'):
                    pass
            except OSError as error:
                rule = 'images must be readable for the user who trains (chmod -R a+rX FOLDER)'
                raise DataError(f'image {self.path(place)!r} cannot be opened: {error.strerror}; {rule}') from error
        return self
