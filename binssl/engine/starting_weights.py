"""What a training run starts from, where it does not start from nothing: loaded strictly, and told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from binssl.checkpoints import TRUNK, CheckpointError, LoadReport, load_weights, read_trained
from binssl.checkpoints.match import in_parts

#: what a student's file cannot hold: copies of the student, and keys that were queued for it
FOLLOWERS = ('teacher', 'momentum_teacher', 'queue')


def start_from(model: nn.Module, path: str) -> LoadReport:
    """Load all that ``model`` learns from the file at ``path`` (``load_from``).

    Raises:
        CheckpointError: the file cannot be read or does not fit; nothing is loaded.
    """
    followers = [name for name in FOLLOWERS if hasattr(model, name)]
    return _start_with(model, read_trained(path).state_dict, followers)


def start_from_trunk(model: nn.Module, path: str) -> LoadReport:
    """Load the trunk of ``model`` from the file at ``path`` (``pretrained``); the rest stays as it is.

    Raises:
        CheckpointError: as :func:`start_from`.
    """
    parts, weights = trunk_parts(model), read_trained(path).state_dict
    trunk = {key: value for key, value in weights.items() if in_parts(key, parts)}
    if not trunk and any(in_parts(key, parts) for key in model.state_dict()):
        held = ', '.join(dict.fromkeys(key.split('.')[0] for key in weights)) or 'nothing'
        raise CheckpointError(
            f'{path} holds no trunk to start from, but {held}; take the checkpoint or weights file '
            'of the run that trained the backbone'
        )
    others = {key.split('.')[0] for key in model.state_dict()} - set(parts)
    return _start_with(model, trunk, sorted(others))


def trunk_parts(model: Any) -> tuple[str, ...]:
    """What a model, or its class, takes of a file with a trunk: backbone and neck, where it has no ``trunk_parts``."""
    return getattr(model, 'trunk_parts', TRUNK)


def _start_with(model: nn.Module, weights: Mapping[str, Tensor], may_miss: Sequence[str]) -> LoadReport:
    report = load_weights(model, weights, may_miss=may_miss)
    for name, part in model.named_children():
        restart: Any = getattr(part, 'restart', None)
        if restart is not None and any(in_parts(key, [name]) for key in report.missed):
            restart()  # a momentum teacher that the file does not hold starts as the student that it holds
    return report
