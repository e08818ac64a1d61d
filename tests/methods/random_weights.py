"""A weights file of random numbers, as the step before another would leave it."""

from __future__ import annotations

import json
from typing import Any

import torch

from binssl.checkpoints import write_checkpoint
from binssl.engine.weights import FOLLOWERS
from binssl.registry import ALGORITHMS


def write_random(model: dict[str, Any], path: str) -> None:
    """What extraction for a next stage writes: all that the model learns, and the model's config."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        built = ALGORITHMS.build(model)
    state = {name: value for name, value in built.state_dict().items() if name.split('.')[0] not in FOLLOWERS}
    write_checkpoint({'format_version': 1, 'state_dict': state, 'meta': {'model': json.dumps(model)}}, path)
