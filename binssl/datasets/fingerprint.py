"""Fingerprints of data: hashes of arrays, and the facts of files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from binssl.registry import DataError


def fingerprint_of(*parts: Any, **arrays: Any) -> str:
    """The SHA-256 of parts (bytes, hex digits that stand for some, or arrays), then of the named arrays that are not
    None, each after its name; of arrays, numpy's or torch's, dtype and shape count.
    """
    digest = hashlib.sha256()
    named = (part for name, values in arrays.items() if values is not None for part in (name.encode(), values))
    for part in (*parts, *named):
        if isinstance(part, (bytes, str)):
            digest.update(bytes.fromhex(part) if isinstance(part, str) else part)
        else:
            array = np.ascontiguousarray(part.cpu().numpy() if isinstance(part, Tensor) else part)
            digest.update(f'{array.dtype.str}{array.shape}'.encode())
            digest.update(array.data)
    return digest.hexdigest()


def file_facts(paths: Sequence[str], folder: str) -> tuple[bytes, np.ndarray]:
    """Names relative to ``folder``; sizes and times of the last change, int64 (N, 2).

    Raises:
        DataError: a file is gone.
    """
    names, facts = [], np.empty((len(paths), 2), dtype=np.int64)
    for place, path in enumerate(paths):
        try:
            found = os.stat(path)
        except OSError as error:
            told = 'the data set was changed since it was indexed'
            raise DataError(f'{path!r} cannot be read: {error.strerror}; {told}') from error
        facts[place] = found.st_size, found.st_mtime_ns
        names.append(os.fsencode(os.path.relpath(path, folder)) + b'\0')
    return b''.join(names), facts
