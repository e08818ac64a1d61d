"""Published checkpoints become files of ours."""

from __future__ import annotations

import os
from collections.abc import Mapping

from torch import Tensor

from binssl.checkpoints.files import CheckpointError, find_state_dict, read_checkpoint
from binssl.checkpoints.layouts import CONVERSIONS, Conversion
from binssl.checkpoints.match import select_part
from binssl.checkpoints.weights import build_inference_model, check_output, parts_table, write_weights
from binssl.registry import nearest_names


def convert_checkpoint(source: str | os.PathLike, out: str | os.PathLike, name: str,
                       force: bool = False) -> str:
    """Write a published checkpoint as a weights file of ours.

    Args:
        source: the published file, its weights under ``state_dict``, ``model`` or bare.
        out: the weights file; its folder is made.
        name: a key of ``CONVERSIONS``.
        force: overwrite an existing ``out``.

    Returns:
        What was done, for a person to read.

    Raises:
        CheckpointError: an unknown name, an unusable source, one of another layout (with a table), or an
            existing ``out``. Nothing is written then.
    """
    if name not in CONVERSIONS:
        raise CheckpointError(f'no published layout is called {name!r}; {nearest_names(name, CONVERSIONS)}')
    published = find_state_dict(read_checkpoint(source), source)
    check_output(source, out, force)
    conversion = CONVERSIONS[name]
    prefix, inside = _strip_prefix(published, conversion.prefixes)
    names = rename_all(conversion, inside)
    weights, reshaped = _take(conversion, inside, names)
    dead = [key for key, ours in names.items() if ours is None]
    facts = {'converted_from': name, 'dropped': dead}
    try:
        write_weights(out, weights, conversion.model, source, facts)
    except CheckpointError as error:
        raise CheckpointError(f'not a {name} checkpoint: {error}') from error
    outside = len(published) - len(inside)
    lines = [f"{name}: {len(weights)} of {len(published)} tensors taken, which are all of the model's"]
    if prefix:
        lines.append(f'prefix taken off: {prefix!r}; {outside} tensors without it left out')
    if reshaped:
        lines.append(f'reshaped: {len(reshaped)} flattened weights')
    return '\n'.join([*lines, *_dropped_lines(dead), parts_table(weights), f'written: {out}'])


def rename_all(conversion: Conversion, published: Mapping[str, Tensor]) -> dict[str, str | None]:
    """Our name, or None, for every published entry (without prefix)."""
    shapes = {key: tuple(value.shape) for key, value in published.items()}
    return {key: conversion.rename(key, shapes) for key in published}


def _strip_prefix(published: Mapping[str, Tensor],
                  prefixes: tuple[str, ...]) -> tuple[str, dict[str, Tensor]]:
    for prefix in prefixes:
        inside = select_part(published, prefix)
        if inside:
            return prefix, inside
    return '', dict(published)


def _take(conversion: Conversion, published: Mapping[str, Tensor],
          names: Mapping[str, str | None]) -> tuple[dict[str, Tensor], list[str]]:
    """The weights under our names and, where the file has them flattened to (n, 1), in our shapes."""
    expected = build_inference_model(conversion.model).state_dict()
    weights, reshaped = {}, []
    for key, ours in names.items():
        if ours is None:
            continue
        value = published[key]
        if ours in expected and value.shape == (expected[ours].numel(), 1):
            value = value.view(expected[ours].shape)
            reshaped.append(key)
        weights[ours] = value
    return weights, reshaped


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
