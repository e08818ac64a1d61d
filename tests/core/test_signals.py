"""Signals that ask a run to stop: noted once, handed back afterwards, obeyed by exit codes that job scripts know."""

from __future__ import annotations

import os
import signal

import pytest

from binssl.core.command_line import run_command
from binssl.core.signals import STOPPING, Listener, Stopped, leave_to_parent

ALL = (signal.SIGINT, *STOPPING)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize('number', ALL)
def test_the_first_signal_is_noted_and_told_and_the_handlers_come_back(number, capfd):
    before = [signal.getsignal(each) for each in ALL]
    with Listener('ending soon') as listener:
        assert listener.number == 0
        send(number)
        send(signal.SIGTERM)
        assert listener.number == number
    assert [signal.getsignal(each) for each in ALL] == before
    assert capfd.readouterr().err == f'{signal.Signals(number).name}: ending soon\n'


def test_a_second_ctrl_c_ends_at_once_and_a_second_sigterm_does_not():
    with Listener() as listener:
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            send(number)
        assert listener.number == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt) as caught:
            send(signal.SIGINT)
    assert not isinstance(caught.value, Stopped)


def test_what_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Listener() as listener:
            send(signal.SIGHUP)
            assert listener.number == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ('number', 'code'), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 143), (signal.SIGHUP, 143)]
)
def test_a_command_that_was_stopped_says_what_it_kept(number, code, capsys):
    def stop() -> None:
        raise Stopped(number, 'stopped after iteration 3')

    with pytest.raises(SystemExit) as caught:
        run_command(stop, how_to_go_on='unsaid')
    assert caught.value.code == code
    assert capsys.readouterr().err == 'stopped after iteration 3\n'


def test_a_worker_outlives_what_its_group_is_sent_and_not_its_parents_second_word():
    worker = os.fork()
    if worker == 0:
        leave_to_parent()
        for number in (*ALL, signal.SIGINT):
            send(number)
        send(signal.SIGTERM)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) == -signal.SIGTERM
