"""What every command line shares: expected errors become one clear message and a non-zero exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable

from mmengine.dist import get_rank

from binssl.registry import ConfigError, TrainingError


def run_command(main: Callable[[], None]) -> None:
    """Run ``main``; on an expected error print ``error: ...`` without a traceback and exit with 1.

    Only the first process of a distributed run prints. Ctrl-C exits with 130 and says how to go on.
    """
    try:
        main()
    except (ConfigError, TrainingError, ImportError, OSError) as error:
        if get_rank() == 0:
            print(f'error: {error}', file=sys.stderr, flush=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        if get_rank() == 0:
            print(
                'interrupted; the same command with --resume auto goes on from the last checkpoint',
                file=sys.stderr,
            )
        raise SystemExit(130) from None
