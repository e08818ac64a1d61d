"""The start of every command: expected errors become one sentence and an exit code, others keep their traceback."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

from binssl.core.console import quieten_start
from binssl.core.signals import Stopped
from binssl.registry import ConfigError, TrainingError, raised_within

#: where launchers write which process this is; the process group is gone when an error arrives here
_RANKS = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')


def run_command(main: Callable[[], None], how_to_go_on: str = '') -> None:
    """Run ``main``; print an expected error as ``error: ...``, in a sentence, and exit with 1.

    Expected are what a person or the machine can put right: a ConfigError, a TrainingError, and an OSError by which the
    system refuses a file to binssl or a library (no space, no permission, not there). All others are errors of a
    program and keep their traceback, which names the file and line; so does an OSError in a user's own code.

    The first process of a distributed run prints for all. Ctrl-C exits with 130 and says ``how_to_go_on``; a run that
    has kept what it had, as :class:`Stopped` says, with its own words and code.
    """
    try:
        quieten_start()
        main()
    except (ConfigError, TrainingError, OSError) as error:
        if isinstance(error, OSError) and not (error.errno and raised_within(error, {'binssl', '__main__'})):
            raise
        _tell(f'error: {error}')
        raise SystemExit(1) from None
    except Stopped as stop:
        if _rank() == 0:
            _tell(str(stop))
        raise SystemExit(stop.exit_code) from None
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
    """This process's, 0 where what the launcher says is no number, which is told then."""
    return next((int(os.environ[name]) for name in _RANKS if os.environ.get(name, '').isdigit()), 0)


def _tell(message: str) -> None:
    if _rank():
        # if all failed alike, the first has spoken and the launcher ends the others now; else this one alone knows
        time.sleep(10)
        message = f'{message}\n(from process {_rank()})'
    print(message, file=sys.stderr, flush=True)
