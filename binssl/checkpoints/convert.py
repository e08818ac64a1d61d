"""Conversion of published checkpoints to files of ours.

A new layout is a function from a published name to ours, and a row in the table of its family.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from itertools import permutations
from typing import Any

import torch
from torch import Tensor

from binssl.checkpoints.files import CheckpointError, find_state_dict, read_checkpoint
from binssl.checkpoints.layout import Conversion
from binssl.checkpoints.layouts_reactnet import reactnet_conversions
from binssl.checkpoints.layouts_resnet import resnet_conversions
from binssl.checkpoints.layouts_selfsup import selfsup_conversions
from binssl.checkpoints.match import check_match, in_parts, select_part
from binssl.checkpoints.weights import HANDED_OVER, build_inference_model, check_output, parts_table, write_weights
from binssl.registry import NECKS, nearest_names

#: all layouts of published checkpoints by name
CONVERSIONS: dict[str, Conversion] = {**reactnet_conversions(), **resnet_conversions(), **selfsup_conversions()}
#: what others wrap a network in: DistributedDataParallel, Lightning, open-mmlab
WRAPPERS = ('module.', 'model.', 'backbone.')
BURN_PARTS = ('backbone', 'classifier', 'teacher_classifier')


def convert_checkpoint(source: str | os.PathLike, out: str | os.PathLike, name: str, force: bool = False) -> str:
    """Write a published checkpoint as a weights file of ours.

    Args:
        source: the published file, its weights under ``state_dict``, ``model`` or bare, or in BURN's three parts.
        out: the weights file; its folder is made.
        name: a key of ``CONVERSIONS``.
        force: overwrite an existing ``out``.

    Returns:
        What was done, for a person to read.

    Raises:
        CheckpointError: an unknown name, an unusable source, one of another layout (with a table), or an
            existing ``out``. Nothing is written then.
    """
    _conversion(name)  # an unknown one is told before anything is read
    content = read_checkpoint(source)
    check_output(source, out, force)
    weights, model, dead, lines = _take(content, source, name)
    write_weights(out, weights, model, source, {'converted_from': name, 'dropped': dead})
    return '\n'.join([*lines, parts_table(weights), f'written: {out}'])


def published_weights(content: Mapping[str, Any], path: str | os.PathLike, name: str) -> dict[str, Tensor]:
    """The weights of a published checkpoint under our names: every one of its model's, and no other.

    Args:
        content: what ``read_checkpoint`` gives, or the state dict in it.
        path: where it came from, for the message.
        name: a key of ``CONVERSIONS``.

    Raises:
        CheckpointError: an unknown name, or content of another layout, with a table.
    """
    return _take(content, path, name)[0]


def published_trunk(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The trunk of a published network whose keys are ours but for ``backbone.``, whatever its size and its head.

    Args:
        published: its state dict, under one of the prefixes of 'resnet50_trunk'; ``fc`` is left out.
    """
    weights, prefixes = with_counters(_without_compile(published))[0], CONVERSIONS['resnet50_trunk'].prefixes
    inside = next((found for prefix in prefixes if (found := select_part(weights, prefix))), weights)
    return {f'backbone.{key}': value for key, value in inside.items() if key.split('.')[0] != 'fc'}


def rename_all(conversion: Conversion, published: Mapping[str, Tensor]) -> dict[str, str | None]:
    """Our name, or None, for every published entry (without prefix and settings)."""
    shapes = {key: tuple(value.shape) for key, value in published.items()}
    return {key: conversion.rename(key, shapes) for key in published}


def _conversion(name: str) -> Conversion:
    if name not in CONVERSIONS:
        raise CheckpointError(f'no published layout is called {name!r}; {nearest_names(name, CONVERSIONS)}')
    return CONVERSIONS[name]


def _take(
    content: Mapping[str, Any], path: str | os.PathLike, name: str
) -> tuple[dict[str, Tensor], dict[str, Any], list[str], list[str]]:
    """The weights of a published file under our names, their model's config, the dead keys; lines on what was done."""
    conversion = _conversion(name)
    if _is_in_parts(content) and conversion.target_head is None:
        hint = f'--from {name}_multi takes all three, and tools/extract_weights.py the trunk of what it writes'
        raise CheckpointError(f"not a {name} checkpoint: {path} has BURN's {', '.join(BURN_PARTS)}\n  hint: {hint}")
    published, counters = with_counters(_without_compile(_state_dict(content, path)))
    expected = _expected(conversion)
    prefix, inside = _strip_prefix(published, conversion, expected)
    own = {key: value for key, value in inside.items() if not in_parts(key, conversion.copies)}
    kept, model, settings = _take_settings(own, conversion, path)
    names = rename_all(conversion, kept)
    weights = {ours: kept[key] for key, ours in names.items() if ours is not None}
    known = [key for key in weights if key in expected]
    flat = [key for key in known if weights[key].shape == (expected[key].numel(), 1) != expected[key].shape]
    weights |= {key: weights[key].reshape(expected[key].shape) for key in flat}
    try:
        check_match(expected, weights)
    except CheckpointError as error:
        raise CheckpointError(f'not a {name} checkpoint: {path}: {error}') from error
    lines = [f"{name}: {len(weights)} of {len(published)} tensors taken, which are all of the model's"]
    if counters:
        lines.append(f'num_batches_tracked: {counters} counters, which files of torch before 0.4.1 lack, are 0')
    lines.append(_assumed(name))
    if prefix:
        lines.append(f'prefix taken off: {prefix!r}; {len(published) - len(inside)} tensors without it left out')
    if copies := len(inside) - len(own):
        lines.append(f'left out: {copies} tensors of copies ({", ".join(conversion.copies)})')
    if flat:
        lines.append(f'reshaped: {len(flat)} flattened weights')
    dead = [key for key, ours in names.items() if ours is None]
    return weights, model, dead, [*lines, *settings, *_dropped_lines(dead)]


def _is_in_parts(content: Mapping[str, Any]) -> bool:
    return all(isinstance(content.get(part), dict) for part in BURN_PARTS)


def _state_dict(content: Mapping[str, Any], path: str | os.PathLike) -> dict[str, Tensor]:
    """The weights in a published file; BURN's multi-stage ones hold a state dict for each of three parts."""
    if not _is_in_parts(content):
        return find_state_dict(content, path)
    return {
        f'{part}.{key}': value for part in BURN_PARTS for key, value in find_state_dict(content[part], path).items()
    }


def with_counters(weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], int]:
    """The weights of a file of torch before 0.4.1 with the counters of its BatchNorms, 0 as torch has it; how many."""
    if any(key.endswith('num_batches_tracked') for key in weights):
        return dict(weights), 0
    norms = [key.removesuffix('running_mean') for key in weights if key.endswith('running_mean')]
    return {**weights, **{f'{norm}num_batches_tracked': torch.tensor(0) for norm in norms}}, len(norms)


def _without_compile(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights without the part of their names that torch.compile puts in."""
    return {key.replace('_orig_mod.', ''): value for key, value in weights.items()}


def _strip_prefix(
    published: Mapping[str, Tensor], conversion: Conversion, expected: Mapping[str, Tensor]
) -> tuple[str, dict[str, Tensor]]:
    """The entries under the first prefix under which all ``expected`` ones are, else under the first that occurs.

    Prefixes are the layout's own, and these behind what others wrap a network in, in any order.
    """
    found = []
    wrapped = [''.join(order) for count in range(len(WRAPPERS) + 1) for order in permutations(WRAPPERS, count)]
    for prefix in dict.fromkeys(wrapper + own for wrapper in wrapped for own in conversion.prefixes):
        if inside := select_part(published, prefix):
            found.append((prefix, inside))
            own = {key: value for key, value in inside.items() if key.rpartition('.')[2] not in conversion.settings}
            if expected.keys() <= set(rename_all(conversion, own).values()):
                return prefix, inside
    return next((each for each in found if each[0] in conversion.prefixes), ('', dict(published)))


def _assumed(name: str) -> str:
    """What the file cannot tell: the precision, which changes no tensor; and which other layouts take the same file."""
    ours = CONVERSIONS[name].model
    alike = [
        other
        for other, conversion in CONVERSIONS.items()
        if other != name and _any_precision(conversion.model) == _any_precision(ours)
    ]
    precision = ours['backbone'].get('conv_cfg', 'real convolutions')
    return f'assumed, as no tensor tells: {precision}' + (f'; of the same tensors: {", ".join(alike)}' if alike else '')


def _any_precision(model: Mapping[str, Any]) -> dict[str, Any]:
    return {**model, 'backbone': {key: value for key, value in model['backbone'].items() if key != 'conv_cfg'}}


def _expected(conversion: Conversion) -> dict[str, Tensor]:
    """Names and shapes of what the file must hold; nothing is computed."""
    with torch.device('meta'):
        expected = build_inference_model(conversion.model).state_dict()
        if conversion.target_head is not None:
            head = NECKS.build(conversion.target_head).state_dict()
            expected = {**expected, **{f'{HANDED_OVER}.{key}': value for key, value in head.items()}}
    return expected


def _dropped_lines(dead: list[str]) -> list[str]:
    """The dead branches by the module that they stand in: ``feature.1: binary_pw, bn2``."""
    branches: dict[str, list[str]] = {}
    for key in dead:
        owner, branch = key.rsplit('.', 2)[:2]
        branches.setdefault(owner, []).append(branch)
    if not dead:
        return []
    lines = [f'    {owner}: {", ".join(dict.fromkeys(found))}' for owner, found in branches.items()]
    return [f'dropped: {len(dead)} tensors of branches that the published network never uses', *lines]


def _take_settings(
    published: Mapping[str, Tensor], conversion: Conversion, source: str | os.PathLike
) -> tuple[dict[str, Tensor], dict[str, Any], list[str]]:
    """Move numbers that a published file keeps in every layer into our config, which has each once.

    Returns:
        The weights that are left; a copy of the model's config with the settings in it; a line for a person on each.

    Raises:
        CheckpointError: the layers of the file do not agree.
    """
    paths, config, lines = conversion.settings, copy.deepcopy(dict(conversion.model)), []
    for name, (*parts, last) in paths.items():
        layers = {key: value.flatten().tolist() for key, value in published.items() if key.rpartition('.')[2] == name}
        if not layers:
            continue
        values = sorted({number for numbers in layers.values() for number in numbers})
        if len(values) != 1:
            shown = ', '.join(f'{value:.6g}' for value in values[:5]) + (', ...' if len(values) > 5 else '')
            raise CheckpointError(
                f'{source} has not one {name} for all layers but {shown}; set the same in '
                'each where the file was made: our config has one for the whole network'
            )
        inner = config
        for part in parts:
            inner = inner[part]
        inner[last] = values[0]
        lines.append(f'into the config: {name} = {values[0]:.6g} of {len(layers)} layers, as {".".join(paths[name])}')
    weights = {key: value for key, value in published.items() if key.rpartition('.')[2] not in paths}
    return weights, config, lines
