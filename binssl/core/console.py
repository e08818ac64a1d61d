"""The terminal: the lines that a person should see, and progress bars; everything goes into the log file."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from mmengine.logging import MMLogger
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

_REFRESH_SECONDS = 0.2  # of a progress bar

#: standing notices of mmengine that nobody can act on
_STANDING = ('FileClient', 'HardDiskBackend', '"save_param_scheduler"', 'has no metainfo', 'Gradient accumulative')


def _is_for_people(record: logging.LogRecord) -> bool:
    """Warnings, and what was said with :func:`say`."""
    if getattr(record, 'for_people', False):
        return True
    return record.levelno >= logging.WARNING and not any(word in record.getMessage() for word in _STANDING)


class _Short(logging.Formatter):
    """``12:30:01 message``; warnings and errors carry their level."""

    def format(self, record: logging.LogRecord) -> str:
        level = '' if record.levelno < logging.WARNING else f'{record.levelname.lower()}: '
        return f'{self.formatTime(record, "%H:%M:%S")} {level}{record.getMessage()}'


def quieten(logger: MMLogger) -> None:
    """Leave on the terminal what matters; the file handlers of ``logger`` keep everything."""
    warnings.filterwarnings('ignore', message='.*(FileClient|HardDiskBackend|lr_scheduler.step).*')
    for handler in logger.handlers:
        if not isinstance(handler, logging.FileHandler):
            handler.addFilter(_is_for_people)
            handler.setFormatter(_Short())


def _is_no_substitution(record: logging.LogRecord) -> bool:
    """All but mmengine's line for each variable of the environment that a config reads, at each reading."""
    return not record.getMessage().startswith('Using env variable')


def quieten_start() -> None:
    """Leave out what is said before a run, many times, and needs nobody's attention.

    torch warns of more workers than cores; what workers cannot do here is told by
    :func:`binssl.engine.preflight_data.loader_problems`.
    """
    warnings.filterwarnings('ignore', message='This DataLoader will create .* worker processes')
    with suppress(IndexError):  # more processes than GPUs: the check of the devices tells it in a sentence
        for handler in MMLogger.get_current_instance().handlers:
            handler.addFilter(_is_no_substitution)


def say(logger: logging.Logger, message: str, *values: Any) -> None:
    """Log ``message`` so that it shows on the terminal too."""
    logger.info(message, *values, extra={'for_people': True})


@contextmanager
def quiet(level: int = logging.INFO) -> Iterator[None]:
    """Nothing is logged up to ``level`` while parts are built to look at them: the run itself says what it reads."""
    logging.disable(level)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on the error stream, if that is a terminal, towards ``total``; gives the function that advances it."""
    console, last = Console(stderr=True), 0.0
    share = TextColumn('{task.percentage:>3.0f}%')
    columns = (TextColumn('{task.description}'), BarColumn(), share, TimeRemainingColumn())
    # drawn by hand: a thread that draws would be forked into worker processes
    with Progress(*columns, console=console, auto_refresh=False, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)

        def advance(amount: int) -> None:
            nonlocal last
            bar.advance(task, amount)
            if time.monotonic() - last > _REFRESH_SECONDS:
                bar.refresh()
                last = time.monotonic()

        yield advance
