"""The seed of a run: the config's, or, where that is None, one that is drawn, told and recorded."""

from __future__ import annotations

import os
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import broadcast_object_list, is_main_process

from binssl.checkpoints import read_checkpoint
from binssl.engine.training_state import latest_checkpoint


def settle_seed(cfg: Config) -> bool:
    """Put a seed into ``cfg.randomness`` where it is None, the same one on all processes.

    A run that goes on takes its checkpoint's, so that it stays the run that it was; another draws one of 32 bits.

    Returns:
        Whether there was none.
    """
    if cfg.randomness.get('seed', 0) is not None:
        return False
    seed = [_first_seed(cfg) if is_main_process() else None]
    broadcast_object_list(seed)
    cfg.randomness.seed = seed[0]
    return True


def _first_seed(cfg: Config) -> int:
    resume = cfg.get('resume')
    path = latest_checkpoint(cfg.work_dir) if resume in ('auto', True) else Path(resume) if resume else None
    recorded = read_checkpoint(path).get('meta', {}).get('seed') if path and path.is_file() else None
    return int.from_bytes(os.urandom(4), 'little') if recorded is None else recorded
