"""Signals: those that ask a run to stop, and the end of a process whose parent was killed.

Imports nothing slow: a launcher of processes starts at once.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import threading
from types import FrameType
from typing import Any

#: how SLURM, a cloud, systemd or a closed terminal stop a run; Ctrl-C is SIGINT
STOPPING = (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """The end that a signal has asked for, of a run that has kept what it had; a KeyboardInterrupt as Ctrl-C's is one.

    Args:
        number: the signal's.
        message: what was kept, and how to go on.
    """

    def __init__(self, number: int, message: str = 'stopped') -> None:
        super().__init__(message)
        self.exit_code = exit_code(number)


def exit_code(number: int) -> int:
    """130 after Ctrl-C, 143 after the signals of :data:`STOPPING`, whichever it was."""
    return 128 + (signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)


class Listener:
    """Notes the first signal that asks to stop while the block runs; a second Ctrl-C is a KeyboardInterrupt at once.

    A signal that is ignored, as by nohup, stays so. Outside of the main thread, which alone can listen, nothing is
    heard.

    Attributes:
        number: of the signal, 0 before one.
    """

    def __init__(self, says: str = '') -> None:
        self.number, self._says = 0, says
        self._before: dict[int, Any] = {}
        self._interrupts = 0

    def __enter__(self) -> Listener:
        if threading.current_thread() is threading.main_thread():
            heard = [number for number in (signal.SIGINT, *STOPPING) if signal.getsignal(number) != signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._note) for number in heard}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._interrupts += number == signal.SIGINT
        if self._interrupts > 1:
            raise KeyboardInterrupt
        if not self.number and self._says:
            os.write(2, f'{signal.Signals(number).name}: {self._says}\n'.encode())  # print may be at work already
        self.number = self.number or number


def leave_to_parent(*unused: Any) -> None:
    """Called in a worker: what asks all processes of a group to stop ends it with its parent, which may need it still.

    A SIGTERM is the parent's, who is done with it, or somebody else's: who sent it tells (but on macOS).
    """
    for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None and hasattr(signal, 'sigwaitinfo'):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # and in the threads that come
        threading.Thread(target=_end_at_sigterm_of, args=(parent.pid,), daemon=True).start()


def _end_at_sigterm_of(process: int) -> None:
    while signal.sigwaitinfo([signal.SIGTERM]).si_pid != process:
        pass
    os._exit(0)


def die_with_parent(parent: int, number: int = signal.SIGKILL) -> None:
    """On Linux: be sent ``number`` when the ``parent`` has ended, even by ``kill -9``; between fork and exec.

    It is the thread that started the process whose end counts.
    """
    prctl = getattr(ctypes.CDLL(None), 'prctl', None)
    if prctl is not None:
        prctl(1, number)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:  # ended before
            os._exit(1)
