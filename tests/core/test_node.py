"""The processes of a node: the place that each is told, bad places, and that no process outlives what started it."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from binssl.core import node
from binssl.core.node import Node, main, place

NAMES = ('PORT', 'NNODES', 'NODE_RANK', 'MASTER_ADDR')
HERE = dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='127.0.0.1', PORT='29555')


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def set_all(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_ranks_count_on_over_the_nodes(monkeypatch):
    set_all(monkeypatch, HERE)
    places = place(3)
    assert [here['RANK'] for here in places] == ['3', '4', '5']
    assert [here['LOCAL_RANK'] for here in places] == ['0', '1', '2']
    assert {(here['WORLD_SIZE'], here['LOCAL_WORLD_SIZE'], here['MASTER_PORT']) for here in places} == {
        ('6', '3', '29555')
    }


def test_a_node_alone_takes_a_free_port():
    (only,) = place(1)
    assert (only['RANK'], only['WORLD_SIZE'], only['MASTER_ADDR']) == ('0', '1', '127.0.0.1')
    with socket.socket() as free:
        free.bind(('', int(only['MASTER_PORT'])))


@pytest.mark.parametrize(
    ('name', 'value', 'rule'),
    [
        ('PORT', '99999999', 'from 1 to 65535'),
        ('PORT', '-1', 'from 1 to 65535'),
        ('PORT', '0', 'from 1 to 65535'),
        ('PORT', '29.5', 'from 1 to 65535'),
        ('NNODES', 'two', 'at least 1'),
        ('NNODES', '0', 'at least 1'),
        ('NNODES', '2:4', 'at least 1'),
        ('NNODES', '٢', 'at least 1'),
        ('NODE_RANK', '5', 'from 0 to 1'),
        ('NODE_RANK', '2', 'from 0 to 1'),
        ('NODE_RANK', '-1', 'from 0 to 1'),
        ('NODE_RANK', 'first', 'from 0 to 1'),
        ('MASTER_ADDR', '', 'set MASTER_ADDR to the address of node 0'),
        ('MASTER_ADDR', 'no such machine', 'which no machine is known by'),
        ('MASTER_ADDR', 'a..b', 'which no machine is known by'),
    ],
)
def test_a_place_that_cannot_be_is_told_before_any_process(name, value, rule, monkeypatch, capsys):
    set_all(monkeypatch, {**HERE, name: value})
    monkeypatch.setattr(Node, 'run', lambda *_: pytest.fail('a process was started'))
    assert main(['2', 'train.py', 'config.py']) == 1
    errors = capsys.readouterr().err
    assert errors.startswith('error: ')
    assert errors.count('\n') == 1
    assert name in errors
    assert rule in errors
    assert value in errors


@pytest.mark.parametrize('count', ['two', '0', '-1', ''])
def test_so_many_processes_cannot_be(count, capsys):
    assert main([count, 'train.py']) == 1
    assert f'error: {count!r} processes were asked for' in capsys.readouterr().err


def test_a_port_that_is_taken_is_told_on_the_node_that_needs_it(monkeypatch, capsys):
    with socket.socket() as taken:
        taken.bind(('', 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        set_all(monkeypatch, {**HERE, 'PORT': port, 'NODE_RANK': '0'})
        assert main(['1', 'train.py']) == 1
        assert f'port {port} cannot be used here (Address already in use)' in capsys.readouterr().err
        monkeypatch.setenv('NODE_RANK', '1')
        assert place(1)


def forked(work: Callable[[], int]) -> int:
    """The process id of a copy of this process that does ``work`` and exits with what it gives."""
    child = os.fork()
    if child == 0:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        try:
            os._exit(work())
        finally:
            os._exit(99)
    return child


def exit_code(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def shell(text: str, ranks: int = 2) -> Callable[[], int]:
    return lambda: Node().run(['sh', '-c', text], [{'RANK': str(rank)} for rank in range(ranks)])


def running(folder: Path) -> list[str]:
    """The process ids in the folder's files that run still."""
    ids = [file.read_text().strip() for file in folder.glob('*.pid')]
    states = {each: Path(f'/proc/{each}/stat') for each in ids}
    return [each for each, stat in states.items() if stat.exists() and ') Z ' not in stat.read_text()]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ('text', 'code'),
    [
        ('exit 0', 0),
        ('exit $RANK', 1),
        ('[ $RANK = 0 ] && sleep 60; exit 3', 3),  # the other one does not go on without it
        ('[ $RANK = 1 ] && sleep 60; kill -9 $$', 137),
    ],
)
def test_the_first_that_fails_ends_all(text, code):
    start = time.monotonic()
    assert exit_code(forked(shell(text))) == code
    assert time.monotonic() - start < 30


@pytest.mark.parametrize(
    ('number', 'code'),
    [(signal.SIGTERM, 143), (signal.SIGHUP, 143), (signal.SIGUSR1, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)],
)
def test_nothing_is_left_whatever_ended_it(number, code, tmp_path):
    waiting = f'echo $$ >{tmp_path}/$RANK.part; mv {tmp_path}/$RANK.part {tmp_path}/$RANK.pid; exec sleep 60'
    child = forked(shell(waiting))
    wait_until(lambda: len(running(tmp_path)) == 2)
    os.kill(child, number)
    assert exit_code(child) == code
    wait_until(lambda: not running(tmp_path))


def test_a_run_that_writes_its_checkpoint_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(node, '_SECONDS_TO_STOP', 0.5)
    writing = f'trap "sleep 1; exit 143" TERM; touch {tmp_path}/$RANK; while :; do sleep 0.05; done'
    child = forked(shell(writing))
    wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
    os.kill(child, signal.SIGTERM)
    assert exit_code(child) == 143


def test_a_second_ctrl_c_ends_what_does_not_listen(tmp_path, monkeypatch):
    monkeypatch.setattr(node, '_SECONDS_TO_STOP', 0.2)
    child = forked(shell(f'trap "" INT; touch {tmp_path}/$RANK; while :; do sleep 0.05; done'))
    wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
    for _ in range(2):
        os.kill(child, signal.SIGINT)
        time.sleep(0.1)
    assert exit_code(child) == 130
