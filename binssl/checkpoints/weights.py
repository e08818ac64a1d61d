"""Files of trained networks, which can be built again from the file alone: reading, writing, extraction.

A training checkpoint is written by the runner, a weights file by extraction or conversion. Both hold
``format_version``, ``state_dict`` and ``meta``, and ``meta['model']`` is the model's config as JSON text.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from binssl.checkpoints.files import FORMAT_VERSION, CheckpointError, find_state_dict, read_checkpoint, write_checkpoint
from binssl.checkpoints.match import check_match, in_parts, load_weights
from binssl.checkpoints.record import PARTS, read_record, recorded_model
from binssl.core.files import file_sha256
from binssl.registry import ALGORITHMS, SCOPE, raised_within

INFERENCE_PARTS = ('backbone', 'neck', 'head')
HANDED_OVER = 'target_head'  # part of BURN's next stage, not of a trained network
TRUNK = ('backbone', 'neck')
MULTI_STAGE = (*INFERENCE_PARTS, HANDED_OVER)
# of a training checkpoint, kept in a weights file
FACTS = ('algorithm', 'epoch', 'iter', 'seed', 'weight_average_decay')


@dataclass(frozen=True)
class Trained:
    """What a file of ours holds: the weights, the config of the model they belong to, and other facts."""

    state_dict: dict[str, Tensor]
    model: dict[str, Any]
    meta: dict[str, Any]


def load_model(path: str | os.PathLike, device: str | torch.device = 'cpu') -> nn.Module:
    """The network in a file of ours, in eval mode: ``model(images)``, ``model.extract(images)``.

    Of a training checkpoint the student's backbone, neck and head are taken; a classifier or detector comes back as
    one, every label-free method as an Encoder.

    Args:
        path: a training checkpoint or a weights file.
        device: where the model goes.

    Raises:
        CheckpointError: the file cannot be read, is not ours, or does not fit its own config.
    """
    trained = read_trained(path)
    model = build_inference_model(inference_config(trained.model))
    weights = {key: value for key, value in trained.state_dict.items() if in_parts(key, INFERENCE_PARTS)}
    _explain(path, lambda: load_weights(model, weights))
    return model.to(device).eval()


def read_trained(path: str | os.PathLike) -> Trained:
    """Read a file of ours.

    Raises:
        CheckpointError: it cannot be read, is not ours, of a later format, or could run code.
    """
    return trained_from(read_checkpoint(path), path)


def trained_from(content: Mapping[str, Any], path: str | os.PathLike) -> Trained:
    """As :func:`read_trained`, of the ``content`` that was read from ``path``."""
    text = content['meta'].get('model') if isinstance(content.get('meta'), dict) else None
    if 'format_version' not in content or not isinstance(text, str):
        raise CheckpointError(
            f"{path} is not binssl's: it does not say which model it holds; a published "
            'checkpoint goes through tools/convert_checkpoint.py SRC OUT --from NAME'
        )
    meta = read_record(content, path)
    raw_pixels = content.get('state_dict') == {}  # a model without any weight
    weights = {} if raw_pixels else find_state_dict(content, path)
    for key, value in weights.items():
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise CheckpointError(f'{path} is damaged: {key} repeats its numbers to be {tuple(value.shape)}')
    trained = Trained(weights, recorded_model(text, path, len(weights)), meta)
    if 'backbone' in trained.model:
        _check_network(trained, path)
    return trained


def _check_network(trained: Trained, path: str | os.PathLike) -> None:
    """Compare the weights with the network that the file says they are of, without the memory that it would take.

    Raises:
        CheckpointError: there is no such network, or it has other names or shapes.
    """
    weights = {key: value for key, value in trained.state_dict.items() if in_parts(key, PARTS.keys() & trained.model)}
    try:
        with torch.device('meta'):
            expected = build_inference_model(inference_config(trained.model)).state_dict()
    except Exception as error:  # whatever a constructor says to the settings of a damaged file
        if not raised_within(error, (SCOPE,)):
            return  # a part of a user, which may need numbers to be made
        raise CheckpointError(f'{path}: its model cannot be built: {error}') from error
    if not weights and expected:
        held = ', '.join(dict.fromkeys(key.split('.')[0] for key in trained.state_dict)) or 'nothing'
        remedy = 'take the checkpoint or weights file of the run that trained the backbone'
        first = next(iter(trained.state_dict), 'none')
        raise CheckpointError(f'{path} holds no trunk to start from, but {held}; {remedy} (first key: {first})')
    _explain(path, lambda: check_match(expected, weights))


def extract_weights(
    source: str | os.PathLike, out: str | os.PathLike, parts: Sequence[str] = TRUNK, force: bool = False
) -> str:
    """Write the given parts of a trained model into a weights file.

    Momentum copies (``teacher``) and queues are never written. Of a run with a WeightAverageHook the average is.

    Args:
        source: a training checkpoint or a weights file.
        out: the weights file; its folder is made.
        parts: ``TRUNK`` for evaluation and deployment; ``MULTI_STAGE`` for the ``load_from`` of a next stage.
        force: overwrite an existing ``out``.

    Returns:
        A table of what was written and what was not, for a person to read.

    Raises:
        CheckpointError: the source is unusable or lacks a part, or ``out`` exists.
    """
    trained = read_trained(source)
    check_output(source, out, force)
    config = inference_config(trained.model, parts)
    if 'head' in parts and 'head' not in config:
        raise CheckpointError(
            f'{source} has no head to hand to a next stage; take a training checkpoint, or '
            'tools/extract_weights.py for the trunk alone'
        )
    kept = {key: value for key, value in trained.state_dict.items() if in_parts(key, parts)}
    facts: dict[str, Any] = {key: trained.meta[key] for key in FACTS if key in trained.meta}
    write_weights(out, kept, config, source, {'algorithm': trained.model.get('type'), **facts})
    left = dict.fromkeys(key.split('.')[0] for key in trained.state_dict if key not in kept)
    lines = [parts_table(kept), f'left out: {", ".join(left) or "nothing"}', f'written: {out}']
    if 'weight_average_decay' in facts:
        lines.insert(1, f'these are the averages over the steps of the run, decay {facts["weight_average_decay"]:g}')
    return '\n'.join(lines)


def inference_config(model: Mapping[str, Any], parts: Sequence[str] = INFERENCE_PARTS) -> dict[str, Any]:
    """The config of a trained network without what only its training needs.

    Args:
        model: config of the algorithm that trained it.
        parts: which to keep, of those that a trained network has: backbone, neck, head. What learnt from labels
            (a Classifier, a Detector) stays what it is with its head, and becomes an Encoder without.
    """
    if not isinstance(model.get('backbone'), dict):
        raise CheckpointError(f'the checkpoint is of a {model.get("type")!r} without a backbone')
    wanted = (*(part for part in INFERENCE_PARTS if part in parts), 'data_preprocessor')
    kept = {part: model[part] for part in wanted if model.get(part) is not None}
    if 'data_preprocessor' in kept:
        kept['data_preprocessor'] = _without_views(kept['data_preprocessor'])
    learnt_labels = getattr(ALGORITHMS.get(model.get('type') or 'Encoder'), 'needs_labels', False)
    return {'type': model['type'] if learnt_labels and 'head' in kept else 'Encoder', **kept}


def build_inference_model(config: Mapping[str, Any]) -> nn.Module:
    """Build an Encoder or Classifier; the random numbers of the caller go on as if nothing had been drawn."""
    with torch.random.fork_rng(devices=[]):
        return ALGORITHMS.build(dict(config))


def check_output(source: str | os.PathLike, out: str | os.PathLike, force: bool) -> None:
    """Refuse to write over the source, or, unless ``force``, over any file.

    Raises:
        CheckpointError: ``out`` may not be written.
    """
    if Path(out).is_dir():
        raise CheckpointError(f'{out} is a folder; name the file to write')
    if Path(out).exists() and Path(out).samefile(source):
        raise CheckpointError(f'{out} is the source itself; name another file')
    if Path(out).exists() and not force:
        raise CheckpointError(f'{out} exists; remove it, name another file, or give --force to overwrite it')


def write_weights(
    out: str | os.PathLike,
    state_dict: Mapping[str, Tensor],
    model: Mapping[str, Any],
    source: str | os.PathLike,
    facts: Mapping[str, Any],
) -> None:
    """Write a weights file, after making sure that its weights fit the model that it names.

    Args:
        out: the file.
        state_dict: the weights of the model and, to be handed to a next stage, those of a ``target_head``.
        model: config of the Encoder or Classifier.
        source: the file that they came from; its SHA-256 goes along.
        facts: more plain data for ``meta``.

    Raises:
        CheckpointError: the weights do not fit, and nothing is written; or writing failed.
    """
    fitting = {key: value for key, value in state_dict.items() if not in_parts(key, [HANDED_OVER])}
    _explain(source, lambda: check_match(build_inference_model(model).state_dict(), fitting))
    origin = {'source': Path(source).name, 'sha256_source': file_sha256(source)}
    meta = {**facts, 'kind': 'weights', 'model': json.dumps(model), **origin}
    weights = {key: value.detach().clone() for key, value in state_dict.items()}  # no larger storage behind
    write_checkpoint({'format_version': FORMAT_VERSION, 'state_dict': weights, 'meta': meta}, out)


def parts_table(state_dict: Mapping[str, Tensor]) -> str:
    """Tensors and numbers in each part of a state dict, a line each."""
    lines = [f'{"part":<14}{"tensors":>9}{"numbers":>14}']
    for part in dict.fromkeys(key.split('.')[0] for key in state_dict):
        tensors = [value for key, value in state_dict.items() if key.split('.')[0] == part]
        lines.append(f'{part:<14}{len(tensors):>9}{sum(tensor.numel() for tensor in tensors):>14,}')
    return '\n'.join(lines)


def _without_views(preprocessor: Mapping[str, Any]) -> dict[str, Any]:
    """How images are normalised; the views that it makes in training are another run's affair."""
    return {key: value for key, value in preprocessor.items() if key != 'views'}


def _explain(path: str | os.PathLike, step: Callable[[], object]) -> None:
    """Run ``step``; its CheckpointError gets the file's name before it."""
    try:
        step()
    except CheckpointError as error:
        raise CheckpointError(f'{path}: {error}') from error
