"""The network of a config as it is initialised: the baseline of every training."""

from __future__ import annotations

from pathlib import Path

import torch

from binssl.checkpoints import TRUNK
from binssl.checkpoints.weights import check_output, inference_config, parts_table, write_weights
from binssl.engine.config import load_config, plain
from binssl.registry import ALGORITHMS, ConfigError


def write_initial_weights(config: str | Path, out: str | Path, seed: int = 0, force: bool = False) -> str:
    """Write backbone and neck of the config's model, untrained, to a weights file.

    The backbone is the one that a training of this config with ``seed`` starts from. BatchNorms have their initial
    statistics, 0 and 1.

    Returns:
        A table of what was written, for a person to read.

    Raises:
        ConfigError: the config has no model, or ``out`` may not be written.
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
