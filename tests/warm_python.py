#!/usr/bin/env -S python3 -SE
"""An interpreter for the tests that start many: the libraries are imported already.

torch, mmengine and torchvision take some five seconds at the start of every process. Here a server imports them once,
nothing of binssl among them, and forks a process for each that is asked for. This file is started as an interpreter is,
``warm_python.py [-u] (SCRIPT | -m MODULE | -c CODE) [arguments]``: it hands its arguments, environment, folder and
standard streams to the server, hands signals on to the process, and ends as that does; where it is killed, the process
is killed. Without a server, or with more than the standard streams (joblib), it is the plain interpreter.
"""

from __future__ import annotations

import os
import socket
import sys

LIBRARIES = ['torch', 'torchvision.transforms.v2', 'mmengine.runner', 'mmengine.visualization', 'matplotlib.figure']
LIBRARIES += ['matplotlib.backends.backend_agg', 'sklearn.datasets', 'torch.distributed.run', 'PIL.Image']
PYTHON = os.path.abspath(__file__)
#: the environment's names for the server's socket, and for the interpreter with the libraries
SOCKET, PLAIN = 'WARM_PYTHON_SOCKET', 'WARM_PYTHON_PLAIN'

running: list[object] = []  # the server, whose standard input is open while we run


def start_server() -> None:
    """Start this process's server, unless one was started for it; who asks waits until it answers. It ends with us."""
    import subprocess

    if SOCKET in os.environ:
        return
    os.environ[PLAIN] = sys.executable
    if sys.platform == 'linux':
        os.environ[SOCKET] = f'warm_python_{os.getpid()}'
        environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
        running.append(subprocess.Popen([sys.executable, PYTHON, '--serve'], stdin=subprocess.PIPE, env=environment))


def ask(arguments: list[str]) -> int:
    """Have a process with ``arguments`` started; its exit status, negative for a signal."""
    import json
    import signal
    import time

    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        deadline = time.monotonic() + 60
        while server.connect_ex('\0' + os.environ[SOCKET]) and time.monotonic() < deadline:
            time.sleep(0.05)  # it imports still
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda number, _: server.send(b'%d' % number))
        request = json.dumps(dict(arguments=arguments, environment=dict(os.environ), folder=os.getcwd()))
        socket.send_fds(server, [request.encode()], [0, 1, 2])
        status = int(server.recv(16) or -signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)
    return status


def serve() -> None:
    """Fork a keeper for each that asks, until standard input ends; returns in the processes that were asked for."""
    import contextlib
    import importlib
    import select
    import signal

    for name in LIBRARIES:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers are not waited for
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind('\0' + os.environ[SOCKET])  # a name without a file
        listener.listen(64)
        while 0 not in select.select([listener.fileno(), 0], [], [])[0]:
            client, _ = listener.accept()
            if os.fork() == 0:
                break
            client.close()
        else:
            os._exit(0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    request, streams, _, _ = socket.recv_fds(client, 1 << 20, 3)
    process = os.fork()
    if process == 0:
        client.close()
        become(request, streams)
        return
    for stream in streams:
        os.close(stream)
    ended = os.pidfd_open(process)
    while ended not in select.select([client, ended], [], [])[0]:
        os.kill(process, int(client.recv(16) or signal.SIGKILL))  # nothing is received from one who was killed
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    with contextlib.suppress(BrokenPipeError):
        client.send(b'%d' % status)
    os._exit(0)


def become(request: bytes, streams: list[int]) -> None:
    """Be the process that was asked for, up to the first line of its code."""
    import json
    import signal

    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    asked = json.loads(request)
    os.chdir(asked['folder'])
    os.environ.clear()
    os.environ.update(asked['environment'])
    sys.argv = asked['arguments']
    sys.executable = PYTHON
    sys.path[:1] = filter(None, os.environ.get('PYTHONPATH', '').split(':'))
    for output in (sys.stdout, sys.stderr):
        output.reconfigure(
            write_through=output is sys.stderr or 'PYTHONUNBUFFERED' in os.environ or sys.argv[0] == '-u'
        )


def run(arguments: list[str]) -> None:
    """What an interpreter does with its arguments; then the end, without the two seconds of clearing up."""
    import atexit
    import runpy
    import threading

    if arguments[0] == '-u':
        del arguments[0]
    kind = arguments.pop(0) if arguments[0] in ('-m', '-c') else ''
    first, sys.argv = arguments[0], ['-c', *arguments[1:]] if kind == '-c' else arguments
    sys.path.insert(0, '' if kind else os.path.dirname(os.path.abspath(first)))
    status = 0
    try:
        if kind == '-c':
            exec(first, {'__name__': '__main__'})
        elif kind == '-m':
            runpy.run_module(first, run_name='__main__', alter_sys=True)
        else:
            runpy.run_path(first, run_name='__main__')
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(status)


if __name__ == '__main__':
    if sys.argv[1:] == ['--serve']:
        serve()
        run(sys.argv)
    elif SOCKET in os.environ and len(os.listdir('/proc/self/fd')) == 4:  # the fourth is the listing's
        status = ask(sys.argv[1:])
        if status < 0:
            os.kill(os.getpid(), -status)
        sys.exit(status)
    else:
        os.execv(os.environ[PLAIN], [os.environ[PLAIN], *sys.argv[1:]])
