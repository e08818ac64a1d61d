"""The processes of a run on this machine: ``python -m binssl.core.node [--stage] [--checked] N SCRIPT [arguments]``.

SCRIPT checks first that N processes can run; then N of them start, each told its place in torch's variables.
Signals are handed on; the first process that fails ends the others; all end with this one. torchrun gives a run that it
stops 30 s to write its checkpoint, does not hand SIGUSR1 on, and, killed, leaves its processes behind.

--stage: a script waits for this one, which is asked to stop when that ends. --checked: the check was made.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial

from binssl.core.signals import STOPPING, die_with_parent, exit_code

_SECONDS_TO_SPEAK = 1.0  # for the others, when one process has failed
_SECONDS_TO_STOP = 10.0  # likewise, when all were asked to stop


def read_number(name: str, least: int, most: int | None = None, default: int | None = None) -> int:
    """The whole number that the environment variable ``name`` holds.

    Raises:
        ValueError: it is none, or outside of ``least`` to ``most``; with the variable's name and the rule.
    """
    text = os.environ.get(name) or ('' if default is None else str(default))
    rule = f'a whole number of at least {least}' if most is None else f'a whole number from {least} to {most}'
    if not text.isascii() or not text.isdigit() or int(text) < least or (most is not None and int(text) > most):
        raise ValueError(f'the environment variable {name} is {text!r}; it must be {rule}')
    return int(text)


def place(processes: int) -> list[dict[str, str]]:
    """What the environment of each of ``processes`` says, by PORT, NNODES, NODE_RANK and MASTER_ADDR in ours.

    Raises:
        ValueError: one of these cannot be; with the remedy.
    """
    nodes = read_number('NNODES', 1, default=1)
    node = read_number('NODE_RANK', 0, nodes - 1, default=0)
    port = read_number('PORT', 1, 65535, default=29500 if nodes > 1 else _free_port())
    address = os.environ.get('MASTER_ADDR') or ('127.0.0.1' if nodes == 1 else '')
    if not address:
        rule = 'set MASTER_ADDR to the address of node 0 (and NODE_RANK, and the same PORT on all)'
        raise ValueError(f'NNODES is {nodes}: {rule}')
    check_address(address, port, is_here=node == 0)
    ours = dict(MASTER_ADDR=address, MASTER_PORT=str(port), WORLD_SIZE=str(nodes * processes))
    ours |= dict(LOCAL_WORLD_SIZE=str(processes), GROUP_RANK=str(node))
    return [dict(ours, LOCAL_RANK=str(local), RANK=str(node * processes + local)) for local in range(processes)]


def check_address(address: str, port: int, is_here: bool) -> None:
    """Raises a ValueError where ``address`` is no machine's, or its ``port`` is taken or forbidden (``is_here``)."""
    try:
        socket.getaddrinfo(address, port)
    except (OSError, UnicodeError) as error:
        remedy = 'give the address or name of node 0, as this machine knows it'
        raise ValueError(f'MASTER_ADDR is {address!r}, which no machine is known by ({error}): {remedy}') from None
    if is_here:
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(('', port))
            except OSError as error:
                raise ValueError(f'port {port} cannot be used here ({error.strerror}): set another PORT') from None


def _free_port() -> int:
    with socket.socket() as tried:
        tried.bind(('', 0))
        return tried.getsockname()[1]


class Node:
    """Starts processes, hands signals on to them, and waits for their ends."""

    def __init__(self) -> None:
        self._signals: list[int] = []  # all that came
        for number in (signal.SIGINT, *STOPPING):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda number, frame: self._signals.append(number))

    def run(self, command: Sequence[str], environments: Sequence[dict[str, str]]) -> int:
        """One process for each of ``environments``, added to ours; 0, or the exit code of the first that failed."""
        started = [
            subprocess.Popen(
                command,
                env={**os.environ, **environment},
                start_new_session=True,  # a terminal's Ctrl-C comes from here, once
                preexec_fn=partial(die_with_parent, os.getpid()),
            )
            for environment in environments
        ]
        failure, told, deadline = 0, 0, float('inf')
        while running := [process for process in started if process.poll() is None]:
            for number in self._signals[told:]:
                told += 1
                for process in running:
                    process.send_signal(number)
            failure = failure or self._failure(started)
            if deadline == float('inf') and (failure or self._signals.count(signal.SIGINT) > 1):
                deadline = time.monotonic() + (_SECONDS_TO_STOP if self._signals else _SECONDS_TO_SPEAK)
            if time.monotonic() > deadline:
                for process in running:
                    process.kill()
            time.sleep(0.05)
        return failure or self._failure(started)

    def _failure(self, started: Sequence[subprocess.Popen]) -> int:
        """The exit code of the first that failed, 0 where none has."""
        for rank, process in enumerate(started):
            code = process.returncode
            if code and code > 0:
                return code
            if code and self._signals:
                return exit_code(self._signals[0])
            if code:  # killed: it could say nothing itself
                print(f'error: process {rank} was ended by signal {-code}', file=sys.stderr, flush=True)
                return 128 - code
        return 0


def main(arguments: Sequence[str]) -> int:
    """Check, then run; the exit code."""
    words = list(arguments)
    flags = {word for word in ('--stage', '--checked') if word in words[:2]}
    count, *command = words[len(flags) :]
    if '--stage' in flags:
        die_with_parent(os.getppid(), signal.SIGTERM)
    try:
        if not count.isdigit() or not int(count):
            raise ValueError(f'{count!r} processes were asked for (GPUS); it must be a whole number of at least 1')
        environments = place(int(count))
    except ValueError as error:
        print(f'error: {error}', file=sys.stderr, flush=True)
        return 1
    node = Node()
    # as many threads as torchrun would give: one
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    command = [sys.executable, *command]
    if '--checked' not in flags and (code := node.run([*command, '--check', count], [{}])):
        return code
    return node.run([*command, '--launcher', 'pytorch'], environments)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
