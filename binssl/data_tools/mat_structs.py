"""Struct arrays of MATLAB's files: the development kit of ImageNet keeps its classes in one.

Read here, so that no extra library is needed: the level 5 format, as "MAT-File Format" (MathWorks) describes it. A
file is a header of 128 bytes and data elements; an element is a tag (type, number of bytes) and its content, padded to
8 bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from binssl.registry import DataError

_HEADER_BYTES = 128
_MATRIX, _COMPRESSED = 14, 15
_STRUCT, _CHAR, _FIRST_NUMERIC, _LAST_NUMERIC = 2, 4, 6, 15
_NUMBERS = {1: '<i1', 2: '<u1', 3: '<i2', 4: '<u2', 5: '<i4', 6: '<u4', 7: '<f4', 9: '<f8', 12: '<i8', 13: '<u8'}
_TEXTS = {1: 'latin-1', 2: 'latin-1', 4: 'utf-16-le', 16: 'utf-8', 17: 'utf-16-le'}


def read_structs(content: bytes, name: str, where: str) -> list[dict[str, Any]]:
    """The struct array called ``name`` as one dict an element.

    Args:
        content: of the file.
        name: of the variable.
        where: what to call the file in an error.

    Returns:
        Field names to values: text as str, numbers as a flat array; what is neither comes as None.

    Raises:
        DataError: it is no such file, or has no such variable.
    """
    try:
        if content[124:128] != b'\x00\x01IM':
            raise ValueError('no little-endian MAT-file of level 5')
        for kind, body in _elements(content[_HEADER_BYTES:]):
            variable, value = _read_matrix(_inflate(body) if kind == _COMPRESSED else body)
            if variable == name and isinstance(value, list):
                return value
        raise ValueError(f'there is no struct array {name!r} in it')
    except (ValueError, LookupError, RecursionError, struct.error, zlib.error) as error:
        raise DataError(f'{where} cannot be read as a MATLAB file: {error}; fetch it again') from error


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and content of each element."""
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from('<II', data, at)
        if kind >> 16:  # a small element: type and length in one word, then four bytes of content
            kind, length, start, end = kind & 0xFFFF, kind >> 16, at + 4, at + 8
        else:
            start = at + 8
            end = start + length + (0 if kind == _COMPRESSED else -length % 8)
        if start + length > len(data):
            raise ValueError('it is cut off')
        yield kind, data[start : start + length]
        at = end


def _next(elements: Iterator[tuple[int, bytes]]) -> tuple[int, bytes]:
    """The next element, where the format has one."""
    for element in elements:
        return element
    raise ValueError('it is cut off')


def _inflate(body: bytes) -> bytes:
    """The content of the matrix that a compressed element holds."""
    kind, content = _next(_elements(zlib.decompress(body)))
    if kind != _MATRIX:
        raise ValueError(f'a compressed element holds type {kind}, not a matrix')
    return content


def _read_matrix(body: bytes) -> tuple[str, Any]:
    """Name and value of a matrix."""
    if not body:
        return '', None  # an empty cell or field
    elements = _elements(body)
    flags, dimensions, name = (_next(elements)[1] for _ in range(3))
    kind = flags[0]
    value: Any = None
    if kind == _STRUCT:
        value = _read_fields(elements, int(np.prod(np.frombuffer(dimensions, '<i4'))))
    elif kind == _CHAR:
        encoding, text = next(elements, (16, b''))
        value = text.decode(_TEXTS[encoding])
    elif _FIRST_NUMERIC <= kind <= _LAST_NUMERIC:
        number, content = _next(elements)
        value = np.frombuffer(content, _NUMBERS[number])
    return name.decode('ascii'), value


def _read_fields(elements: Iterator[tuple[int, bytes]], count: int) -> list[dict[str, Any]]:
    """The elements of a struct array: length of a field name, the names, and a matrix for each element and field."""
    (length,) = struct.unpack('<i', _next(elements)[1])
    text = _next(elements)[1]
    fields = [text[at : at + length].split(b'\0')[0].decode('ascii') for at in range(0, len(text), length)]
    if not fields:
        raise ValueError('a struct array has no fields')
    return [{field: _read_matrix(_next(elements)[1])[1] for field in fields} for _ in range(count)]
