"""torchrun for the scripts in ``tools/``: the processes of one node, without its traceback when one of them fails.

A failed process has already said why; here only its exit code is handed on.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from torch.distributed import DistNetworkError
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main as torchrun


def run_node(arguments: Sequence[str]) -> int:
    """Run torchrun with ``arguments``; the exit code of the first process that failed, 0 if none did."""
    for part in ('multiprocessing', 'agent.server'):
        logging.getLogger(f'torch.distributed.elastic.{part}.api').setLevel(logging.CRITICAL)
    try:
        torchrun(list(arguments))
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode >= 0:
            return failure.exitcode
        # killed: it could say nothing itself
        print(f'error: process {rank} was ended by signal {-failure.exitcode}', file=sys.stderr, flush=True)
        return 128 - failure.exitcode
    except SignalException as error:
        return 128 + error.sigval
    except DistNetworkError as error:
        print(f'error: the nodes cannot meet (MASTER_ADDR, PORT): {error}', file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(run_node(sys.argv[1:]))
