"""Weights files of a run: what it starts from, the network as initialised, a network out of a checkpoint."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from binssl.checkpoints import TRUNK, CheckpointError, LoadReport, extract_weights, load_weights, read_trained
from binssl.checkpoints.match import in_parts
from binssl.checkpoints.weights import check_output, inference_config, parts_table, write_weights
from binssl.engine.config import load_config
from binssl.engine.experiment import plain
from binssl.registry import ALGORITHMS, ConfigError

#: what a student's file cannot hold: copies of the student, and keys that were queued for it
FOLLOWERS = ('teacher', 'momentum_teacher', 'queue')


def start_from(model: nn.Module, path: str) -> LoadReport:
    """Load all that ``model`` learns from the file at ``path`` (``load_from``), or raise and load nothing."""
    followers = [name for name in FOLLOWERS if hasattr(model, name)]
    weights = read_trained(path).state_dict
    try:
        return _start_with(model, weights, followers)
    except CheckpointError as error:
        remedy = f'to start with its backbone and neck alone: --pretrained {path} in place of load_from'
        raise CheckpointError(f'{path} is no start for this model ({remedy}): {error}') from error


def start_from_trunk(model: nn.Module, path: str) -> LoadReport:
    """Load the trunk of ``model`` from the file at ``path`` (``pretrained``); the rest stays as it is."""
    parts, weights = trunk_parts(model), read_trained(path).state_dict
    trunk = {key: value for key, value in weights.items() if in_parts(key, parts)}
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


def write_initial_weights(config: str | Path, out: str | Path, seed: int = 0, force: bool = False) -> str:
    """Write backbone and neck of the config's model, untrained, to a weights file.

    The backbone is the one that a training of this config with ``seed`` starts from. BatchNorms have their initial
    statistics, 0 and 1. Returns a table of what was written, for a person to read.
    """
    cfg = load_config(config)
    if not cfg.get('model'):
        raise ConfigError(f'{config} has no model')
    check_output(cfg.filename, out, force)
    model = inference_config(plain(cfg.model), TRUNK)
    torch.manual_seed(seed)
    encoder = ALGORITHMS.build(model)
    write_weights(out, encoder.state_dict(), model, cfg.filename, dict(seed=seed, epoch=0, iter=0))
    return f'{parts_table(encoder.state_dict())}\nwritten: {out}'


def extract(description: str | None, parts: Sequence[str]) -> None:
    """Parse the command line, write ``parts`` of a checkpoint as a weights file, print the table."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', help='a training checkpoint or a weights file')
    parser.add_argument('out', help='the weights file to write; its folder is made')
    parser.add_argument('--force', action='store_true', help='overwrite an existing file')
    args = parser.parse_args()
    print(extract_weights(args.checkpoint, args.out, parts, args.force))
