"""Processes of a run: what one of them does for all, how many share a machine, the model below what joins them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

from mmengine.dist import broadcast_object_list, is_main_process

from binssl.registry import ConfigError

Result = TypeVar('Result')


def by_the_first(step: Callable[[], Result]) -> Result:
    """Run ``step`` in the first process; its result, or its error, in all of them.

    Args:
        step: gives plain data that can be sent.

    Raises:
        ConfigError: or OSError, as ``step`` raised it: nobody is left waiting.
    """
    outcome: list[Any] = [None]
    if is_main_process():
        try:
            outcome = [step()]
        except (ConfigError, OSError) as error:
            outcome = [error]
    broadcast_object_list(outcome)
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


def processes_here() -> int:
    """How many processes of this run share this machine, by the launcher's word; 1 without one."""
    return int(os.environ.get('LOCAL_WORLD_SIZE', 1))


def unwrap(model: Any) -> Any:
    """What DistributedDataParallel wraps, or the model as it is."""
    return getattr(model, 'module', model)
