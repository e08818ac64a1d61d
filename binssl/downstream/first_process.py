"""What one process does for all of a group."""

from __future__ import annotations

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
        ConfigError: or OSError or ImportError, as ``step`` raised it: nobody is left waiting.
    """
    outcome: list[Any] = [None]
    if is_main_process():
        try:
            outcome = [step()]
        except (ConfigError, OSError, ImportError) as error:
            outcome = [error]
    broadcast_object_list(outcome)
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]
