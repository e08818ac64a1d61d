"""What every command line shares: expected errors become one clear message and a non-zero exit code."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from binssl.core.console import quieten_start
from binssl.registry import ConfigError, TrainingError

#: where launchers write which process this is; the process group is gone when an error arrives here
_RANKS = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')


@contextmanager
def told_as_errors(what: str) -> Iterator[None]:
    """Turn what a value of a wrong kind raises, deep in a constructor, into a ConfigError that says ``what`` failed.

    Raises:
        ConfigError: in place of a TypeError, ValueError, AttributeError, KeyError or AssertionError.
    """
    try:
        yield
    except ConfigError:
        raise
    except (TypeError, ValueError, AttributeError, KeyError, AssertionError) as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        place = f'{at.filename.rpartition("site-packages/")[2]}:{at.lineno}'
        reason = f'{type(error).__name__}: {error} ({place})'
        raise ConfigError(f'{what}, a value of the config is of a wrong kind: {reason}') from error


def run_command(main: Callable[[], None], how_to_go_on: str = '') -> None:
    """Run ``main``; on an expected error print ``error: ...`` without a traceback and exit with 1.

    The first process of a distributed run prints for all. Ctrl-C exits with 130 and says ``how_to_go_on``.
    """
    try:
        quieten_start()
        main()
    except (ConfigError, TrainingError, ImportError, OSError) as error:
        _tell(f'error: {error}')
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        if _rank() == 0:
            _tell(f'interrupted; {how_to_go_on}' if how_to_go_on else 'interrupted')
        raise SystemExit(130) from None


def check_at_least_one(**flags: int | None) -> None:
    """Raises a ConfigError that names the first of ``flags`` whose number is given and below 1."""
    for flag, number in flags.items():
        if number is not None and number < 1:
            raise ConfigError(f'--{flag.replace("_", "-")} {number} must be at least 1')


def _rank() -> int:
    return next((int(os.environ[name]) for name in _RANKS if os.environ.get(name)), 0)


def _tell(message: str) -> None:
    if _rank():
        # if all failed alike, the first has spoken and the launcher ends the others now; else this one alone knows
        time.sleep(10)
        message = f'{message}\n(from process {_rank()})'
    print(message, file=sys.stderr, flush=True)
