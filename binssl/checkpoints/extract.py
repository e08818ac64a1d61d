"""Take the network out of a training checkpoint."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from binssl.checkpoints.files import CheckpointError
from binssl.checkpoints.match import in_parts
from binssl.checkpoints.weights import (
    HANDED_OVER,
    INFERENCE_PARTS,
    check_output,
    inference_config,
    parts_table,
    read_trained,
    write_weights,
)

TRUNK = ('backbone', 'neck')
FACTS = ('algorithm', 'epoch', 'iter', 'seed', 'weight_average_decay')
MULTI_STAGE = (*INFERENCE_PARTS, HANDED_OVER)


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
