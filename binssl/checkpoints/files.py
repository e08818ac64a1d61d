"""Checkpoint files: reading that runs no code, writing that is whole or not at all."""

from __future__ import annotations

import argparse
import io
import os
import pickle
import re
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from binssl.core.files import remove_leftovers, replace_file
from binssl.registry import ConfigError

FORMAT_VERSION = 1
WRAPPED = ('state_dict', 'model', 'model_state_dict')  # where publishers put the weights
#: what weights may be
NUMBERS = (
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool),
)
FOLDER = 0x10  # bit of a zip record's attributes
_BLOCK = 1 << 20  # bytes read at a time


class CheckpointError(ConfigError):
    """A checkpoint cannot be read, written or used for what was asked."""


class _LogHistory:
    """Stands in for mmengine's HistoryBuffer in files of others: its values are kept, its methods are not."""


def _log_method(owner: Any, name: Any) -> None:
    """The only use of ``getattr`` that a file is granted: stock files name methods of their log histories.

    With the real one a file can reach any function and run code, even under ``weights_only=True``.
    """
    if owner is not _LogHistory:
        raise pickle.UnpicklingError(f'Unsupported global: GLOBAL builtins.getattr({owner!r}, {name!r})')


def _allowed() -> list[Callable | tuple[Callable, str]]:
    """What files of others may name besides tensors: plain containers, numpy numbers and log histories."""
    rebuild_array: Any = np.zeros(0).__reduce__()[0]
    rebuild_scalar: Any = np.float64(0).__reduce__()[0]
    modules = ('numpy.core.multiarray', 'numpy._core.multiarray')  # numpy 1 and 2
    return [
        argparse.Namespace,
        np.ndarray,
        np.dtype,
        *{type(np.dtype(code)) for code in '?bBhHiIlLqQefd'},
        *[(rebuild_array, f'{module}._reconstruct') for module in modules],
        *[(rebuild_scalar, f'{module}.scalar') for module in modules],
        (_LogHistory, 'mmengine.logging.history_buffer.HistoryBuffer'),
        (_log_method, 'builtins.getattr'),
    ]


def read_checkpoint(path: str | os.PathLike) -> dict[str, Any]:
    """The content of a checkpoint file, ours or another's, with every tensor on the CPU.

    The file never runs code: ``weights_only=True``, and besides tensors and plain data only an
    ``argparse.Namespace``, numpy numbers and mmengine's log histories (without their methods) are built.

    The CRC-32 that ``torch.save`` stores for each record is checked first: bytes that changed on the disk would load as
    other numbers. That reads the file once more, at about 1 GB/s.

    Raises:
        CheckpointError: the file is missing, a folder, damaged, asks for more than the above, or is none.
    """
    path = Path(path)
    _check_is_file(path)
    try:
        _check_records(path)
        with torch.serialization.safe_globals(_allowed()):
            content = torch.load(path, map_location='cpu', weights_only=True)
    except CheckpointError:
        raise
    except PermissionError as error:
        raise CheckpointError(f'{path} cannot be read: {error.strerror}') from error
    except Exception as error:  # torch answers a bad file with whatever its reader trips over
        raise CheckpointError(_why_unreadable(path, error)) from error
    if not isinstance(content, dict):
        raise CheckpointError(f'{path} is no checkpoint: it holds a {type(content).__name__}, not a dict')
    return content


def _check_is_file(path: Path) -> None:
    if path.is_dir():
        raise CheckpointError(f'{path} is a folder; name the checkpoint file in it')
    if not path.is_file():
        raise CheckpointError(f'there is no checkpoint {path}')
    if path.stat().st_size == 0:
        raise CheckpointError(f'{path} is empty: its writing was interrupted; take an earlier checkpoint')


def _check_records(path: Path) -> None:
    """Compare each record of a zip archive with its CRC-32; files of torch before 1.6 have none.

    Under ``torch.serialization.set_crc32_options(False)`` torch writes 0, which is taken as unknown.
    """
    if not _is_archive(path) or not zipfile.is_zipfile(path):  # a truncated one is torch's to refuse
        return
    with zipfile.ZipFile(path) as archive:
        for record in archive.infolist():
            if record.external_attr & FOLDER or record.is_dir():  # torch would leave its memory as it was
                raise CheckpointError(f'{path} is damaged: its record {record.filename!r} is marked as a folder')
            try:
                with archive.open(record) as content:
                    while record.CRC and content.read(_BLOCK):
                        pass
            except zipfile.BadZipFile as error:
                raise CheckpointError(
                    f'{path} is damaged: its record {record.filename!r} is not as it was written '
                    f'({error}); copy it again or take an earlier checkpoint'
                ) from error


def _is_archive(path: Path) -> bool:
    with path.open('rb') as file:
        return file.read(4) == b'PK\x03\x04'


def _why_unreadable(path: Path, error: Exception) -> str:
    if 'TorchScript' in str(error):
        remedy = f"torch.save(torch.jit.load('{path.name}').state_dict(), 'weights.pth')"
        return f'{path} is a TorchScript program (torch.jit), which is run and not read; where you trust it: {remedy}'
    if forbidden := re.search(r'(?:GLOBAL|unsupported global) ([\w.]+)', str(error)):
        return (
            f'{path} is refused: it asks for {forbidden[1]}, and a file that needs more than tensors and '
            'plain data could run code; save its state dict alone where it was made: '
            "torch.save(model.state_dict(), 'weights.pth')"
        )
    if _is_archive(path) and not zipfile.is_zipfile(path):
        return f'{path} is truncated: its end is missing; copy it again or take an earlier checkpoint'
    return f'{path} is no checkpoint, or a damaged one: torch.load cannot read it'


def find_state_dict(content: Mapping[str, Any], path: str | os.PathLike = 'the file') -> dict[str, Tensor]:
    """The weights in a checkpoint's content: under one of :data:`WRAPPED`, or the content itself.

    Args:
        content: what :func:`read_checkpoint` gives.
        path: where it came from, for the message.

    Raises:
        CheckpointError: there are none, or entries that are no tensors.
    """
    wrapped = [content[key] for key in WRAPPED if isinstance(content.get(key), dict)]
    inside = wrapped[0] if wrapped else content
    if not inside:
        raise CheckpointError(f'{path} holds an empty state dict')
    if strange := [str(key) for key, value in inside.items() if not (isinstance(key, str) and _is_plain(value))]:
        inner = {key: value.values() for key, value in content.items() if isinstance(value, dict)}
        held = [key for key, values in inner.items() if any(map(_is_plain, values))]
        way = f"torch.save(torch.load(PATH)[{held[0]!r}], 'weights.pth')" if held else ''
        remedy = f'; weights stand under {held}: {way}' if held else ''
        raise CheckpointError(
            f'{path} holds no state dict, neither under {", ".join(WRAPPED)} nor bare: '
            f'no tensor stands at {", ".join(map(repr, strange[:5]))}{remedy}'
        )
    return dict(inside)


def _is_plain(value: Any) -> bool:
    """Whether a value is a tensor of real or whole numbers, neither sparse nor quantised."""
    return isinstance(value, Tensor) and value.dtype in NUMBERS and value.layout is torch.strided


def write_checkpoint(content: Mapping[str, Any], path: str | os.PathLike) -> None:
    """Write ``content`` so that ``path`` holds either all of it or what it held before.

    Written beside ``path`` under another name, flushed to the disk, then renamed; the folder is made.

    Raises:
        CheckpointError: ``content`` has something that :func:`read_checkpoint` would refuse, or the disk is
            full, read-only or the like.
    """
    _check_plain(content, 'content')
    try:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent, path.name)
        archive = io.BytesIO()
        # not into the file itself: Ctrl-C in its write would end the process in torch's writer, which is C++
        torch.save(content, archive)
        replace_file(path, lambda beside: beside.write_bytes(archive.getbuffer()))
    except (OSError, RuntimeError) as error:  # on a full disk torch.save fails in its archive writer
        reason = getattr(error, 'strerror', None) or f'{error}; is the disk full?'
        raise CheckpointError(f'{path} cannot be written: {reason}') from error


# exact types: a numpy.float64 is a float and an IntEnum an int, but neither reads back safely
_NUMBERS_AND_TEXT = (type(None), bool, int, float, complex, str, bytes)
_LEAVES = (*_NUMBERS_AND_TEXT, Tensor, torch.nn.Parameter, torch.Size, torch.dtype, torch.device)


def _check_plain(value: Any, where: str) -> None:
    if type(value) in (dict, OrderedDict, Counter):
        for key, item in value.items():
            _check_plain(key, f'a key of {where}')
            _check_plain(item, f'{where}[{key!r}]')
    elif type(value) in (list, tuple, set):
        for position, item in enumerate(value):
            _check_plain(item, f'{where}[{position}]')
    elif type(value) not in _LEAVES:
        kind = f'{type(value).__module__}.{type(value).__qualname__}'
        raise CheckpointError(
            f'{where} is a {kind}, which a checkpoint that loads safely cannot hold; '
            'make it a tensor or a plain Python value first'
        )
