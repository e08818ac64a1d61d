"""Pickles of plain data: numbers, strings, lists, dictionaries and numpy arrays, and nothing that could run code."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from binssl.registry import DataError


def _encode_latin1(text: str, encoding: str) -> bytes:
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'its bytes are encoded as {encoding}')
    return text.encode(encoding)


_REBUILD_ARRAY: Any = np.empty(0).__reduce__()[0]  # has moved between numpy's versions
_PLAIN: dict[tuple[str, str], Callable] = {
    ('numpy.core.multiarray', '_reconstruct'): _REBUILD_ARRAY,
    ('numpy._core.multiarray', '_reconstruct'): _REBUILD_ARRAY,
    ('numpy', 'ndarray'): np.ndarray,
    ('numpy', 'dtype'): np.dtype,
    ('_codecs', 'encode'): _encode_latin1,  # how Python 3 writes bytes for Python 2
}


class _PlainUnpickler(pickle.Unpickler):
    """Knows what arrays are made of, and refuses every other name."""

    def find_class(self, module: str, name: str) -> Callable:
        if (module, name) not in _PLAIN:
            raise pickle.UnpicklingError(f'it names {module}.{name}, which is no plain data')
        return _PLAIN[module, name]


def load_array_pickle(content: bytes, where: str, remedy: str) -> Any:
    """What is pickled in ``content``; strings of Python 2 come as bytes.

    Args:
        content: the file.
        where: its name, for the error.
        remedy: what to do about a bad one.

    Raises:
        DataError: if it is cut off, or holds anything but plain data.
    """
    try:
        return _PlainUnpickler(io.BytesIO(content), encoding='bytes').load()
    except Exception as error:  # a damaged pickle may raise anything
        message = f'{where} cannot be unpickled ({error}): cut off, or not what it should be; {remedy}'
        raise DataError(message) from error
