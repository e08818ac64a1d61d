"""What a file of ours says of itself: how far a run was, and the config of its network as JSON.

A file comes from anywhere. Nothing is built of what it says before all of it is of the kind that we write: counters are
whole numbers, a network is made of registered parts and plain settings, of no more layers than the file has tensors.
"""

from __future__ import annotations

import json
import math
import os
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from binssl.checkpoints.files import FORMAT_VERSION, CheckpointError
from binssl.registry import ALGORITHMS, BACKBONES, BINARIZERS, CONVS, GRADIENTS, HEADS, NECKS, Registry, nearest_names

#: parts of a trained network, and where each is registered
PARTS: dict[str, Registry] = {'backbone': BACKBONES, 'neck': NECKS, 'head': HEADS}
INSIDE = (BACKBONES, NECKS, HEADS, CONVS, BINARIZERS, GRADIENTS)  # what these may be made of
#: settings that fetch weights, in vain: the file has them. Not set in what is read
WEIGHT_SOURCES = ('weights', 'pretrained', 'checkpoint', 'init_cfg')
NOT_TAKEN = ('device', 'dtype')  # of torch's layers: on 'meta' the weights would be loaded into nothing

COUNTERS = ('epoch', 'iter', 'epoch_length', 'max_epochs', 'world_size', 'threads')
TEXTS = ('kind', 'model', 'config', 'algorithm', 'teacher_sha256', 'converted_from', 'source', 'sha256_source')
LARGEST = 2**40  # of a counter
LARGEST_SETTING = 2**31
DEEPEST = 40
LONGEST_TEXT = 1 << 24


def read_record(content: Mapping[str, Any], path: str | os.PathLike) -> dict[str, Any]:
    """The ``meta`` of a file of ours, as far as it is known to us of the kinds that we write.

    Raises:
        CheckpointError: there is none, it is of a later format, or an entry is of another kind.
    """
    meta, version = content.get('meta'), content.get('format_version')
    if version is None or not isinstance(meta, dict):
        raise CheckpointError(f"{path} is not binssl's: it lacks format_version or meta")
    _check(type(version) is int and version >= 1, path, 'format_version', version, 'a whole number of at least 1')
    if version > FORMAT_VERSION:
        remedy = f'this binssl reads up to {FORMAT_VERSION}; install a later one'
        raise CheckpointError(f'{path} has format {version}, {remedy}')
    for key in (*COUNTERS, 'seed'):
        value = meta.get(key)
        counts = type(value) is int and 0 <= value <= (2**64 - 1 if key == 'seed' else LARGEST)
        _check(value is None or counts, path, key, value, 'a whole number of at least 0')
    for key in TEXTS:
        _check(meta.get(key) is None or isinstance(meta[key], str), path, key, meta.get(key), 'text')
    decay = meta.get('weight_average_decay')
    _check(decay is None or (type(decay) is float and 0 < decay < 1), path, 'weight_average_decay', decay, 'in (0, 1)')
    return meta


def read_json(text: Any, what: str, path: str | os.PathLike) -> dict[str, Any]:
    """The dict that ``text`` is the JSON of: of finite numbers, and no deeper than :data:`DEEPEST`.

    Raises:
        CheckpointError: it is anything else.
    """
    if not isinstance(text, str) or len(text) > LONGEST_TEXT:
        raise CheckpointError(f'{path} is damaged: {what} is no text, or one of over {LONGEST_TEXT} letters')
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f'{path} is damaged: {what} is no JSON ({error})') from error
    if not isinstance(value, dict):
        raise CheckpointError(f'{path} is damaged: {what} is {_short(value)}, not a dict')
    for depth, item in _walk(value):
        if depth > DEEPEST:
            raise CheckpointError(f'{path} is damaged: {what} is nested more than {DEEPEST} deep')
        _check(not isinstance(item, float) or math.isfinite(item), path, f'a number of {what}', item, 'finite')
    return value


def recorded_model(text: Any, path: str | os.PathLike, tensors: int) -> dict[str, Any]:
    """The config of the network in a file: its algorithm's name, the parts that are used after training.

    What only training needs (a teacher, queues, views) is left out.

    Args:
        text: JSON.
        path: of the file, for the message.
        tensors: in the file.

    Raises:
        CheckpointError: the text is damaged; a part is not registered, could fetch or run something, or is of more
            layers than the file has tensors.
    """
    model = read_json(text, 'the config of its model', path)
    kind = model.get('type')
    if kind is not None and not (isinstance(kind, str) and kind.isidentifier()):
        raise CheckpointError(f'{path} is refused: its model is of type {_short(kind)}, no name of an algorithm')
    kept: dict[str, Any] = {'type': kind}
    for name, registry in PARTS.items():
        if model.get(name) is not None:
            kept[name] = _part(model[name], name, (registry,), path, tensors)
    if model.get('data_preprocessor') is not None:
        part = _part(model['data_preprocessor'], 'data_preprocessor', (ALGORITHMS,), path, tensors)
        if not issubclass(ALGORITHMS.get(part['type']), BaseDataPreprocessor):
            raise CheckpointError(f'{path} is refused: its data_preprocessor is a {part["type"]!r}')
        kept['data_preprocessor'] = {key: value for key, value in part.items() if key != 'views'}
    return kept


def check_alike(given: Any, own: Any, where: str, path: str | os.PathLike) -> None:
    """Compare a state in a file with our own by its build: keys, lengths, kinds and shapes; numbers may differ.

    Raises:
        CheckpointError: it is built otherwise, or has a number that is not finite.
    """
    if isinstance(own, dict):
        _check(isinstance(given, dict), path, where, given, 'a dict')
        _check(given.keys() == own.keys(), path, where, list(given), f'a dict of {list(own)}')
        for key, value in own.items():
            check_alike(given[key], value, f'{where}.{key}', path)
    elif isinstance(own, (list, tuple)):
        right = isinstance(given, (list, tuple)) and len(given) == len(own)
        _check(right, path, where, given, f'a list of {len(own)}')
        for place, (value, mine) in enumerate(zip(given, own, strict=True)):
            check_alike(value, mine, f'{where}.{place}', path)
    elif isinstance(own, Tensor):
        right = isinstance(given, Tensor) and given.is_floating_point() == own.is_floating_point()
        _check(right and given.shape == own.shape, path, where, given, f'a tensor of the shape {tuple(own.shape)}')
    elif isinstance(own, (bool, type(None))):  # fused: None or True, by the device
        _check(isinstance(given, (bool, type(None))), path, where, given, 'true, false or none')
    elif isinstance(own, (int, float)):
        counts = where.endswith('step')
        right = type(given) is int and 0 <= given <= LARGEST if counts else type(given) in (int, float)
        _check(right and math.isfinite(given), path, where, given, 'a count' if counts else 'a finite number')
    else:
        _check(type(given) is type(own), path, where, given, f'a {type(own).__name__}')


def _part(
    config: Any, where: str, registries: tuple[Registry, ...], path: str | os.PathLike, tensors: int
) -> dict[str, Any]:
    """A copy of the config of a part, which is one of ``registries``' and made of parts of a network and settings."""
    if not isinstance(config, dict) or not isinstance(config.get('type'), str):
        raise CheckpointError(f'{path} is damaged: {where} of its model is {_short(config)}, no part with a type')
    kind = config['type']
    if '.' in kind:
        raise CheckpointError(
            f'{path} is refused: its model has a part of type {kind!r}, an import path, with which a '
            'file could run any function; types in a file are names in the registries'
        )
    known = {name for registry in registries for name in registry.names()}
    if kind not in known:
        remedy = 'a part of your own has to be imported before the file is read (custom_imports of the config)'
        raise CheckpointError(f'{path}: no {where} is called {kind!r}; {nearest_names(kind, known)} Or: {remedy}')
    return {
        key: None if key in WEIGHT_SOURCES else _setting(value, f'{where}.{key}', path, tensors)
        for key, value in config.items()
        if key != 'views'  # of another run's data
    }


def _setting(value: Any, where: str, path: str | os.PathLike, tensors: int) -> Any:
    """A copy of a setting: a number, text, a part, a list or dict of these."""
    key = where.rpartition('.')[2]
    if key.startswith('_') or key in NOT_TAKEN:
        raise CheckpointError(f'{path} is refused: its model has {where}, which is no setting of a network')
    if isinstance(value, dict):
        if 'type' in value:
            return _part(value, where, INSIDE, path, tensors)
        return {name: _setting(item, f'{where}.{name}', path, tensors) for name, item in value.items()}
    if isinstance(value, list):
        _check(len(value) <= tensors + 16, path, where, f'{len(value)} long', f'of a network of {tensors} tensors')
        return [_setting(item, where, path, tensors) for item in value]
    if isinstance(value, int):
        largest = tensors if key == 'depths' else LARGEST_SETTING
        _check(abs(value) <= largest, path, where, value, f'at most {largest}')
    return value


def _walk(value: Any) -> Iterator[tuple[int, Any]]:
    """(depth, item) of everything in a value; without recursion, however deep it is."""
    left = [(0, value)]
    while left:
        depth, item = left.pop()
        yield depth, item
        inside = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        left += [(depth + 1, other) for other in inside]


def _check(right: bool, path: str | os.PathLike, name: str, value: Any, rule: str) -> None:
    if not right:
        raise CheckpointError(f'{path} is damaged: {name} is {_short(value)}; it must be {rule}')


def _short(value: Any) -> str:
    """A value of any size, for a message."""
    try:
        return textwrap.shorten(repr(value), 80)
    except (RecursionError, ValueError, RuntimeError):  # too deep, or a number of too many digits
        return f'a {type(value).__name__}'
