"""Building parts to look at them, without what they log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet(level: int = logging.INFO) -> Iterator[None]:
    """Nothing is logged up to ``level``: the run itself will say what it reads."""
    logging.disable(level)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
