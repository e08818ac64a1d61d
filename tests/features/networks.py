"""Small networks in weights files, as a person has them."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from binssl.checkpoints import write_checkpoint
from binssl.registry import ALGORITHMS


def write_network(config: dict, path: Path, seed: int = 0) -> Path:
    """Random weights with BatchNorm statistics that are not the initial ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = ALGORITHMS.build(config)
        for name, value in model.state_dict().items():
            if name.endswith('running_mean'):
                value.uniform_(-0.1, 0.1)
            elif name.endswith('running_var'):
                value.uniform_(0.5, 1.5)
    content = {'format_version': 1, 'state_dict': model.state_dict(), 'meta': {'model': json.dumps(config)}}
    write_checkpoint(content, path)
    return path
