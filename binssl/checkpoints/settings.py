"""Numbers that a published file keeps in every layer, and a file of ours once, in its model's config."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from binssl.checkpoints.files import CheckpointError

Paths = Mapping[str, tuple[str, ...]]


def split_settings(published: Mapping[str, Tensor], paths: Paths) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights of a published file, and its settings.

    Args:
        published: both, by name.
        paths: settings by the last part of their names.
    """
    settings = {key: value for key, value in published.items() if key.rpartition('.')[2] in paths}
    return {key: value for key, value in published.items() if key not in settings}, settings


def set_settings(
    model: Mapping[str, Any], settings: Mapping[str, Tensor], paths: Paths, source: str | os.PathLike
) -> tuple[dict[str, Any], list[str]]:
    """A copy of a model's config with the settings of a file in it, and a line for a person on each.

    Args:
        model: config of the Encoder or Classifier.
        settings: as the file has them, by name.
        paths: where in ``model`` each belongs, by the last part of its name.
        source: the file, for the message.

    Raises:
        CheckpointError: the layers of the file do not agree.
    """
    config, lines = copy.deepcopy(dict(model)), []
    for name, (*parts, last) in paths.items():
        layers = {key: value.flatten().tolist() for key, value in settings.items() if key.rpartition('.')[2] == name}
        if not layers:
            continue
        values = sorted({number for numbers in layers.values() for number in numbers})
        if len(values) != 1:
            raise CheckpointError(
                f'{source} has not one {name} for all layers but {_shown(values)}; set the same in '
                'each where the file was made: our config has one for the whole network'
            )
        inner = config
        for part in parts:
            inner = inner[part]
        inner[last] = values[0]
        lines.append(f'into the config: {name} = {values[0]:.6g} of {len(layers)} layers, as {".".join(paths[name])}')
    return config, lines


def _shown(values: list[float]) -> str:
    return ', '.join(f'{value:.6g}' for value in values[:5]) + (', ...' if len(values) > 5 else '')
