"""The file of a frozen teacher: its weights, and the checks that it fits the network and the images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.logging import print_log
from torch import Tensor, nn

from binssl.checkpoints import (
    CONVERSIONS,
    differing_network,
    find_state_dict,
    load_weights,
    published_trunk,
    published_weights,
    read_checkpoint,
    trained_from,
    with_counters,
)
from binssl.core.files import file_sha256
from binssl.registry import ConfigError


@dataclass(frozen=True)
class TeacherFile:
    """A teacher's weights under our names, and the config of the network that they belong to, where it is known."""

    path: str
    weights: dict[str, Tensor]  # what of it a teacher could use
    model: dict[str, Any]  # {} where it is not known
    tensors: int  # in the file, in all


def read_teacher(checkpoint: str | None, layout: str | None) -> TeacherFile:
    """Read a published file by its ``layout``, or a file of ours, or the trunk of a published one.

    Without a layout only the trunk of a published file is known, under the names of torchvision: MoCo's, bare ones.

    Raises:
        ConfigError: no checkpoint, no such file or layout, or a file of another layout.
    """
    remedy = 'train one and extract its weights, or name another by model.teacher.checkpoint=PATH'
    if not checkpoint:  # a teacher with random weights would go unnoticed
        raise ConfigError(f'a frozen teacher needs a checkpoint, and none is given; {remedy}')
    if not Path(checkpoint).is_file():
        raise ConfigError(f'the checkpoint of the frozen teacher is missing: {checkpoint}; {remedy}')
    path, content = checkpoint, read_checkpoint(checkpoint)
    weights = find_state_dict(content, path)
    count = len(weights)
    if layout is not None:
        return TeacherFile(path, published_weights(content, path, layout), CONVERSIONS[layout].model, count)
    if any(key.startswith('backbone.') for key in weights):
        ours = isinstance(content.get('meta'), dict) and 'model' in content['meta']
        if ours:
            return TeacherFile(path, weights, trained_from(content, path).model, count)
        return TeacherFile(path, with_counters(weights)[0], {}, count)
    return TeacherFile(path, published_trunk(weights), {}, count)


def load_teacher(encoder: nn.Module, file: TeacherFile) -> str:
    """Load all of ``encoder`` from ``file``, and say so in the log.

    Returns:
        The SHA-256 of the file.

    Raises:
        ConfigError: it does not fit.
    """
    parts = {name for name, part in encoder.named_children() if part is not None}
    taken = {key: value for key, value in file.weights.items() if key.split('.')[0] in parts}
    try:
        load_weights(encoder, taken)
    except ConfigError as error:
        published = 'head' in parts and not any(key.startswith('head.') for key in file.weights)
        remedy = f'\n  a published head is read by its layout: teacher.layout=NAME, of {", ".join(CONVERSIONS)}'
        raise ConfigError(
            f'the frozen teacher does not fit its checkpoint {file.path}: {error}{remedy if published else ""}'
        ) from error
    digest = file_sha256(file.path)
    print_log(
        f'teacher: all of its {len(taken)} tensors loaded from {file.path}, SHA-256 {digest[:12]}...; '
        f'{file.tensors - len(taken)} others of the file (heads, copies, queues) not used',
        'current',
    )
    return digest


def check_network(file: TeacherFile, wanted: Mapping[str, Any]) -> None:
    """Compare what is known of a file's network with the config of the teacher it is meant for.

    Raises:
        ConfigError: they contradict each other; a real network and a binary one have the same keys and shapes.
    """
    rows = [
        row
        for part, config in wanted.items()
        if config and file.model.get(part)
        for row in differing_network(file.model[part], config, part)
    ]
    if rows:
        raise ConfigError(f'the checkpoint {file.path} is of another network than the teacher: ' + '; '.join(rows))


def check_outputs(teacher: Any, width: int, remedy: str, data_preprocessor: Mapping[str, Any] | None) -> None:
    """Ask whether a teacher has a head of ``width`` outputs, and was trained on images normalised as the student's.

    Raises:
        ConfigError: it has not, or was not; ``remedy`` is for another width.
    """
    given = getattr(teacher, 'embedding_channels', None)
    if given is None:
        raise ConfigError(
            "the student learns from the outputs of a teacher's head, and this teacher has none: give teacher.head as "
            "its own training had it, such as dict(type='LinearHead', num_classes=..., in_channels=...)"
        )
    if given != width:
        raise ConfigError(f"the teacher's head gives {given} outputs, the student's {width}: {remedy}")
    check_normalisation(teacher.trained_with, data_preprocessor)


def check_normalisation(trained_with: Mapping[str, Any] | None, given: Mapping[str, Any] | None) -> None:
    """Compare the data_preprocessor that a teacher was trained with, where it is known, with the algorithm's.

    Raises:
        ConfigError: they normalise differently: the teacher would answer to images that it has never seen.
    """
    if trained_with is None:
        return
    ours, theirs = _normalisation(given), _normalisation(trained_with)
    rows = differing_network(theirs, ours, 'data_preprocessor')
    if rows:
        raise ConfigError(
            f'the teacher was trained on images normalised otherwise: {"; ".join(rows)}; give the '
            f'algorithm data_preprocessor={dict(trained_with)}, or train a teacher with its own'
        )


def _normalisation(preprocessor: Mapping[str, Any] | None) -> dict[str, Any]:
    """A data_preprocessor without what changes no value, and without the views, which are the data's affair."""
    config = preprocessor or {'type': 'BaseDataPreprocessor'}
    return {key: value for key, value in config.items() if key not in ('channels_last', 'views')}
