"""What a config trains, as plain data: to record, to hash, and to tell two experiments apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from mmengine.config import Config

from binssl.engine.config import KNOWN_KEYS
from binssl.registry import ConfigError

#: what makes two runs the same experiment; logging, workers and the like may differ on resume
EXPERIMENT_KEYS = (
    'model train_dataloader optim_wrapper schedules train_cfg global_batch_size sync_bn randomness param_scheduler '
    'custom_hooks'.split()
)
RUNTIME_KEYS = 'num_workers persistent_workers pin_memory prefetch_factor checkpoint'.split()


def plain(value: Any, leave_out: Collection[str] = ()) -> Any:
    """``value`` as data that JSON can hold (dicts, lists, numbers, strings, None), without the keys ``leave_out``."""
    if isinstance(value, Mapping):
        return {str(key): plain(item, leave_out) for key, item in value.items() if key not in leave_out}
    if isinstance(value, (list, tuple)):
        return [plain(item, leave_out) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ConfigError(f'a config holds plain data (numbers, strings, lists, dicts), not {value!r}')


def known_part(cfg: Config) -> dict[str, Any]:
    """All of ``cfg`` that something reads, as plain data; helper variables are left out."""
    return {key: plain(value) for key, value in cfg.to_dict().items() if key in KNOWN_KEYS}


def experiment(cfg: Config | Mapping[str, Any]) -> dict[str, Any]:
    """The part of ``cfg`` that decides what is trained, as plain data (see ``EXPERIMENT_KEYS``)."""
    parts = {key: plain(cfg[key], RUNTIME_KEYS) for key in EXPERIMENT_KEYS if cfg.get(key) is not None}
    # with a global_batch_size the number of processes decides how many batches make a step
    if parts.get('global_batch_size') and isinstance(parts.get('optim_wrapper'), dict):
        parts['optim_wrapper'].pop('accumulative_counts', None)
    return parts


def config_hash(data: Any) -> str:
    """SHA-256 of plain data in its canonical JSON form."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def differing_keys(ours: Any, theirs: Any, where: str = '') -> list[str]:
    """Dotted names of what differs between two pieces of plain data, with both values."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        both = [(f'{where}.{key}'.strip('.'), ours.get(key), theirs.get(key)) for key in sorted({*ours, *theirs})]
        return [row for name, own, other in both for row in differing_keys(own, other, name)]
    return [] if ours == theirs else [f'{where}: {theirs!r} there, {ours!r} here']
