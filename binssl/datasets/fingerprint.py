"""What a data set holds, as one SHA-256: what is computed from it is kept and found again by that."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import numpy as np
import torch

from binssl.datasets.errors import DataError
from binssl.registry import FUNCTIONS


@FUNCTIONS.register_module()  # how the commands reach it
def fingerprint_data(dataset: Any) -> str:
    """The SHA-256 of a data set's images and labels, in their order; views do not enter.

    Of image files these are names (relative to their folder), labels, sizes and times of the last change: a set that is
    moved or linked elsewhere stays the same one, a file that is written again makes another. Of pixels in memory it is
    their bytes.

    Args:
        dataset: built. One that knows better has a method ``fingerprint() -> str``; one of parts has ``bank`` and
            ``query``, one around another has that as ``dataset``; else ``index`` (files) or ``images``, with ``labels``
            if any.

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
        for kept in ('indices', 'labels'):  # a choice from that set
            if getattr(dataset, kept, None) is not None:
                _add_array(digest, getattr(dataset, kept))
    elif hasattr(dataset, 'index'):
        _add_files(digest, dataset.index)
        if getattr(dataset, 'labels', None) is not None:
            _add_array(digest, dataset.labels)
    elif hasattr(dataset, 'images'):
        _add_array(digest, dataset.images)
        if getattr(dataset, 'labels', None) is not None:
            _add_array(digest, dataset.labels)
    else:
        raise DataError(f'{type(dataset).__name__} has neither files nor pixels in memory to know it again by: give it '
                        'a method fingerprint()')  # fmt: skip
    return digest


def _add_array(digest: Any, values: Any) -> None:
    array = np.ascontiguousarray(torch.as_tensor(values).detach().cpu().numpy())
    digest.update(f'{array.dtype.str}{array.shape}'.encode())
    digest.update(array.data)


def _add_files(digest: Any, index: Any) -> None:
    facts = np.empty((len(index), 2), dtype=np.int64)
    for place in range(len(index)):
        try:
            found = os.stat(index.path(place))
        except OSError as error:
            raise DataError(f'{index.path(place)!r} cannot be read: {error.strerror}; the data set was changed since '
                            'it was indexed') from error  # fmt: skip
        facts[place] = found.st_size, found.st_mtime_ns
        digest.update(os.fsencode(index.names[place]) + b'\0')
    _add_array(digest, facts)
    _add_array(digest, index.labels)
