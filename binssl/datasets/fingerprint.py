"""What a data set holds, as one SHA-256: what is computed from it is kept and found again by that."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from binssl.registry import FUNCTIONS, DataError


@FUNCTIONS.register_module()  # how the commands reach it
def fingerprint_data(dataset: Any) -> str:
    """The SHA-256 of a data set's images and labels, in their order; views do not enter.

    Of image files these are names (relative to their folder), labels, sizes and times of the last change: a set that is
    moved or linked elsewhere stays the same one, a file that is written again makes another. Of pixels in memory it is
    their bytes.

    Args:
        dataset: built. One that knows better has a method ``fingerprint() -> str``; one of parts has ``bank`` and
            ``query``, one around another has that as ``dataset``; else it has files (an ``index``, or ``paths`` with
            ``annotations``) or ``images``, with ``labels`` if any.

    Returns:
        64 hex digits.

    Raises:
        DataError: a file is gone, or nothing of this is there.
    """
    return _digest_of(dataset).hexdigest()


def _digest_of(dataset: Any) -> Any:
    digest = hashlib.sha256()
    if hasattr(dataset, 'fingerprint'):
        digest.update(dataset.fingerprint().encode())
    elif hasattr(dataset, 'bank'):
        for part in (dataset.bank, dataset.query):
            digest.update(_digest_of(part).digest())
    elif hasattr(dataset, 'dataset'):
        digest.update(_digest_of(dataset.dataset).digest())
        _add_arrays(digest, dataset, ('indices', 'images', 'labels'))  # what it takes of that set
    elif hasattr(dataset, 'index'):
        index = dataset.index
        _add_files(digest, [index.path(place) for place in range(len(index))], index.folder)
        _add_array(digest, index.labels)
        _add_arrays(digest, dataset, ('labels',))
    elif hasattr(dataset, 'paths'):
        _add_files(digest, dataset.paths, os.path.commonpath([os.path.dirname(path) for path in dataset.paths]))
        for annotation in getattr(dataset, 'annotations', ()):
            _add_arrays(digest, annotation, sorted(vars(annotation)))
    elif hasattr(dataset, 'images'):
        _add_arrays(digest, dataset, ('images', 'labels'))
    else:
        raise DataError(
            f'{type(dataset).__name__} has neither files nor pixels in memory to know it again by: give it '
            'a method fingerprint()'
        )
    return digest


def _add_arrays(digest: Any, owner: Any, names: Iterable[str]) -> None:
    """Those of the attributes that are there."""
    for name in names:
        if getattr(owner, name, None) is not None:
            digest.update(name.encode())
            _add_array(digest, getattr(owner, name))


def _add_array(digest: Any, values: Any) -> None:
    array = np.ascontiguousarray(values.cpu().numpy() if isinstance(values, torch.Tensor) else values)
    digest.update(f'{array.dtype.str}{array.shape}'.encode())
    digest.update(array.data)


def _add_files(digest: Any, paths: Sequence[str], folder: str) -> None:
    facts = np.empty((len(paths), 2), dtype=np.int64)
    for place, path in enumerate(paths):
        try:
            found = os.stat(path)
        except OSError as error:
            raise DataError(
                f'{path!r} cannot be read: {error.strerror}; the data set was changed since it was indexed'
            ) from error
        facts[place] = found.st_size, found.st_mtime_ns
        digest.update(os.fsencode(os.path.relpath(path, folder)) + b'\0')
    _add_array(digest, facts)
