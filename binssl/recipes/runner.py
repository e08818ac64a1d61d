"""Running a recipe: independent steps side by side, each a process of its own, none of which outlives the recipe."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

from binssl.core.command_line import check_at_least_one
from binssl.core.locks import only_one
from binssl.core.signals import STOPPING, Stopped, die_with_parent
from binssl.recipes.job import Job
from binssl.recipes.recipe import Recipe
from binssl.registry import TrainingError

_SECONDS_BETWEEN_LINES = 5.0
_SECONDS_TO_STOP = 10.0  # to finish an optimiser step and write it


class RecipeRunner:
    """Runs jobs whose inputs are ready, at most ``workers`` at a time, in the order given.

    One thread watches all pipes and starts every process: on Linux a process dies with the thread that started it.

    Args:
        jobs: every input of a job is the output of an earlier one.
        tools: folder of the command line tools.
        workers: jobs at a time, each process on one thread; by default one a core, or one where a job has several
            processes.
        processes: of each training and test.
        keep_going: whether the others go on where one fails; for jobs that do not build on each other.
    """

    def __init__(
        self, jobs: Sequence[Job], tools: Path, workers: int | None = None, processes: int = 1, keep_going: bool = False
    ) -> None:
        self.jobs, self.tools, self.processes, self.keep_going = list(jobs), tools, processes, keep_going
        self._failures: list[str] = []
        self.workers = workers or (1 if processes > 1 else len(os.sched_getaffinity(0)))
        self._waiting = list(jobs)
        self._running: list[_Run] = []
        self._done: set[str] = set()
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Run what is not done yet.

        Raises:
            TrainingError: a step failed; the others are stopped, and go on at the next start (with ``keep_going`` they
                have come to their ends).
            SystemExit: by a signal; the same.
        """
        with _signals_as_exceptions():
            try:
                while self._waiting or self._running:
                    self._start_ready()
                    self._watch()
            except KeyboardInterrupt as stop:
                print('stopped; the same command goes on where it was', flush=True)
                raise SystemExit(stop.exit_code if isinstance(stop, Stopped) else 130) from None
            finally:
                self._stop()
        if self._failures:
            raise TrainingError('\n'.join(self._failures))

    def _start_ready(self) -> None:
        for job in list(self._waiting):
            if not all(f'seed{job.seed}/{source}' in self._done for source in job.step.inputs.values()):
                continue
            if job.is_done():
                self._waiting.remove(job)
                self._done.add(job.label)
                say(job.label, f'already done  [{len(self._done)}/{len(self.jobs)}]')
            elif len(self._running) < self.workers:
                self._waiting.remove(job)
                say(job.label, f'{job.begin()}: {job.step.kind} {job.step.config}')
                run = _Run(job, job.commands(sys.executable, self.tools, self.processes))
                self._running.append(run)
                self._selector.register(run.start(), selectors.EVENT_READ, run)

    def _watch(self) -> None:
        for key, _ in self._selector.select(timeout=1.0):
            run: _Run = key.data
            if run.forward():
                continue
            self._selector.unregister(key.fileobj)
            if run.close() != 0:
                self._fail(run)
                continue
            if run.commands_left:
                self._selector.register(run.start(), selectors.EVENT_READ, run)
                continue
            seconds = run.job.finish(run.commands, run.core_seconds)
            self._running.remove(run)
            self._done.add(run.job.label)
            say(run.job.label, f'done in {seconds:.0f} s{run.outcome}  [{len(self._done)}/{len(self.jobs)}]')

    def _fail(self, run: _Run) -> None:
        reason = f'step {run.job.label} failed; the last lines of {run.log_file}:\n{run.tail()}'
        if not self.keep_going:
            raise TrainingError(reason)
        self._running.remove(run)
        self._failures.append(reason)
        say(run.job.label, f'failed; see {run.log_file}')

    def _stop(self) -> None:
        """End every process, with all that it may have started."""
        for run in self._running:
            run.signal(signal.SIGTERM)
        deadline = time.monotonic() + _SECONDS_TO_STOP
        for run in self._running:
            run.kill_after(deadline)
        self._running.clear()


class _Run:
    """A job's processes, one after the other; their output goes to ``log.txt``, what matters to the terminal."""

    def __init__(self, job: Job, commands: list[list[str]]) -> None:
        self.job, self.commands = job, commands
        self.commands_left = list(commands)
        self.outcome = ''
        self.core_seconds = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self.log_file = job.folder / 'log.txt'
        self._log: IO[bytes] = self.log_file.open('ab')
        self._rest = b''
        self._last_line = 0.0

    def start(self) -> IO[bytes]:
        """Start the next command; gives its output."""
        self._process = subprocess.Popen(
            self.commands_left.pop(0),
            env=dict(os.environ, OMP_NUM_THREADS='1', PYTHONUNBUFFERED='1', PYTHON=sys.executable),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=partial(die_with_parent, os.getpid()),
        )
        assert self._process.stdout is not None
        return self._process.stdout

    def forward(self) -> bool:
        """Take what the process has written; False when it has closed its output."""
        assert self._process is not None
        assert self._process.stdout is not None
        block = os.read(self._process.stdout.fileno(), 1 << 16)
        self._log.write(block)
        self._log.flush()
        *lines, self._rest = (self._rest + block).split(b'\n')
        for line in lines:
            self._show(line.decode(errors='replace').rstrip())
        return bool(block)

    def _show(self, line: str) -> None:
        text = line[9:] if line[2:3] == ':' == line[5:6] else line  # without the time: every line gets one
        if text.startswith('test: '):
            self.outcome = ': ' + text.removeprefix('test: ').replace('_top1', '')
        is_due = time.monotonic() - self._last_line > _SECONDS_BETWEEN_LINES
        if text.startswith(('warning:', 'error:', 'resumed')) or (text.startswith('epoch ') and is_due):
            self._last_line = time.monotonic()
            say(self.job.label, text)

    def close(self) -> int:
        """Wait for the process; its exit status."""
        assert self._process is not None
        assert self._process.stdout is not None
        _, status, usage = os.wait4(self._process.pid, 0)  # what Popen.wait does, with the time that it took
        self.core_seconds += usage.ru_utime + usage.ru_stime
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self._process.stdout.close()
        return self._process.returncode

    def tail(self, lines: int = 15) -> str:
        text = self.log_file.read_text(errors='replace').splitlines()
        return '\n'.join('  ' + line for line in text[-lines:])

    def signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, number)

    def kill_after(self, deadline: float) -> None:
        assert self._process is not None
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self._process.wait()


def say(label: str, text: str) -> None:
    """``12:30:01  seed0/stage1          text``."""
    print(f'{time.strftime("%H:%M:%S")}  {label:<22} {text}', flush=True)


@contextmanager
def _signals_as_exceptions() -> Iterator[None]:
    """SIGTERM and its like end the recipe as Ctrl-C does: by an exception, so that it stops its processes."""

    def interrupt(number: int, frame: Any) -> None:
        raise Stopped(number)

    heard = [number for number in STOPPING if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_recipe(
    recipe: Recipe,
    tools: Path,
    work_dir: str | None = None,
    until: str | None = None,
    full: bool = False,
    seeds: int = 1,
    workers: int | None = None,
    processes: int = 1,
) -> list[Job]:
    """Run a recipe with seeds 0 to ``seeds`` - 1, and skip what is done.

    Args:
        recipe: what to run, in its own folder or ``work_dir``; which steps: see :meth:`Recipe.chosen`.
        tools, workers, processes: as of :class:`RecipeRunner`.

    Returns:
        The jobs, all done, in the order of the recipe.
    """
    check_at_least_one(seeds=seeds, processes=processes, workers=workers)
    folder = Path(work_dir or recipe.work_dir)
    jobs = [Job(step, seed, folder) for seed in range(seeds) for step in recipe.chosen(until, full)]
    with only_one(folder):
        print(f'{recipe.title}: {len(jobs)} steps in {folder}', flush=True)
        RecipeRunner(jobs, tools, workers, processes).run()
    return jobs
