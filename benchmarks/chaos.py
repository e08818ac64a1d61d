"""Random signals over trainings, recipes and downstream commands, and what they left.

    python benchmarks/chaos.py --signals 100 --work-dir work_dirs/chaos

Each signal is drawn from (seed, its number): which command, which signal, when, to which of its processes. The command
is then started again until it is done. Three things are asked. No process is left 15 s after the end. Weights, the
optimiser's state and metrics are the undisturbed run's, bit for bit. A training goes on from the step in which it
was asked to stop, and where it was killed from the last checkpoint (every 4 iterations). Results are kept: the same
command goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from binssl.core.command_line import run_command
from binssl.core.files import current_commit, read_json, write_json, write_text
from binssl.core.tables import markdown
from binssl.registry import TrainingError

ROOT = Path(__file__).parents[1]
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
CONFIG, TEST = 'configs/supervised/reactnet_digits.py', 'configs/benchmarks/features/digits.py'
EPOCHS, INTERVAL = 3, 4  # epochs of a training, iterations between its checkpoints
OPTIONS = {'train_cfg.max_epochs': EPOCHS, 'default_hooks.progress.interval': 1}
OPTIONS |= {'default_hooks.checkpoint.interval_iters': INTERVAL}
SECONDS_UNDISTURBED, SECONDS_TO_END, SECONDS_TO_LEAVE, MARK = 1800.0, 120.0, 15.0, 'BINSSL_CHAOS'


def commands(folder: Path, trained: Path) -> dict[str, list[str]]:
    """The command lines by name, each of which works in ``folder``; ``trained`` is a checkpoint for what takes one."""
    options = [f'{key}={value}' for key, value in OPTIONS.items()]
    flags = ['--work-dir', str(folder), '--resume', 'auto', '--device', 'cpu', '--cfg-options', *options]
    recipe = [sys.executable, 'tools/run_recipe.py', str(folder.parent / 'recipe.py'), '--work-dir', str(folder)]
    return {
        'training': [sys.executable, 'tools/train.py', CONFIG, *flags],
        'training, 2 processes': ['bash', 'tools/dist_train.sh', CONFIG, '2', *flags],
        'recipe': [*recipe, '--workers', '1'],
        'recipe, 2 processes': [*recipe, '--processes', '2'],
        'test': [sys.executable, 'tools/test.py', TEST, str(trained), '--work-dir', str(folder)],
    }


def processes_of(mark: str) -> list[int]:
    """The running processes with ``mark`` in their environment: a command's, and all that it started."""
    found, wanted = [], f'{MARK}={mark}'.encode()
    for entry in Path('/proc').iterdir():
        try:
            is_ours = entry.name.isdigit() and wanted in (entry / 'environ').read_bytes().split(b'\0')
            if is_ours and (entry / 'stat').read_text().rpartition(')')[2].split()[0] != 'Z':
                found.append(int(entry.name))
        except OSError:
            continue
    return sorted(found)


class Attempt:
    """A start of a command, in a folder; its output is added to a log beside it."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.mark, self.log = folder.name, folder.with_suffix('.log')
        environment = {**os.environ, MARK: self.mark, 'OMP_NUM_THREADS': '1', 'PYTHONUNBUFFERED': '1'}
        environment |= dict(PYTHON=sys.executable, PYTHONPATH=str(ROOT))
        self.begun = time.monotonic()
        with self.log.open('ab') as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # a shell starts what it puts into the background deaf to these, and that is inherited
                preexec_fn=lambda: [signal.signal(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGHUP)],
            )

    def end(self, seconds: float) -> int | None:
        """The exit code; None where it does not end in so many ``seconds``, and is killed."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


def undisturbed(name: str, base: Path) -> dict[str, Any]:
    """The end and the seconds of a command that nothing happened to; once, kept in ``base``."""
    folder = base / f'whole_{re.sub("[^a-z0-9]+", "_", name)}'
    record = read_json(folder.with_suffix('.json'))
    if not record:
        shutil.rmtree(folder, ignore_errors=True)
        attempt = Attempt(commands(folder, base / 'whole_training/latest.pth')[name], folder)
        if (code := attempt.end(SECONDS_UNDISTURBED)) != 0:
            raise TrainingError(f'{name}, undisturbed, ends with exit code {code}: see {attempt.log}')
        record = dict(end=end_of(folder), seconds=time.monotonic() - attempt.begun)
        write_json(folder.with_suffix('.json'), record)
    return record


def end_of(folder: Path) -> str:
    """A hash of all tensors of the last checkpoints and weights, and of all metrics, in ``folder``."""
    digest = hashlib.sha256()
    for file in sorted(
        [*folder.rglob(f'epoch_{EPOCHS}.pth'), *folder.rglob('weights.pth'), *folder.rglob('results.json')]
    ):
        if file.suffix == '.json':
            digest.update(json.dumps(read_json(file)['metrics'], sort_keys=True).encode())
            continue
        content = torch.load(file, weights_only=True)
        for part in ('state_dict', 'optimizer'):
            _add(digest, content.get(part))
    return digest.hexdigest()


def _add(digest: Any, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    elif isinstance(value, dict):
        for key, item in value.items():
            digest.update(str(key).encode())
            _add(digest, item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _add(digest, item)
    else:
        digest.update(repr(value).encode())


def iterations(folder: Path) -> tuple[int, int]:
    """The last iteration that the logs report, and the one that the last start went on from."""
    text = ''.join(file.read_text(errors='replace') for file in (folder.with_suffix('.log'), *folder.rglob('log.txt')))
    reported, resumed = re.findall(r'iter (\d+)/', text), re.findall(r'(\d+) iterations done', text)
    return int(reported[-1]) if reported else 0, int(resumed[-1]) if resumed else 0


def disturb(index: int, seed: int, base: Path) -> dict[str, Any]:
    """Send signal ``index``, start again until the command is done, and say what happened."""
    draw = random.Random(f'{seed} {index}')
    folder = base / f'signal_{index}'
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_suffix('.log').unlink(missing_ok=True)
    every = commands(folder, base / 'whole_training/latest.pth')
    undisturbed('training', base)
    name = draw.choice(list(every))
    whole = undisturbed(name, base)
    number, after, to_any = draw.choice(SIGNALS), draw.uniform(0.1, 1.0) * whole['seconds'], draw.random() < 0.5
    attempt = Attempt(every[name], folder)
    while time.monotonic() - attempt.begun < after and attempt.process.poll() is None:
        time.sleep(0.02)
    there = processes_of(attempt.mark)
    target = draw.choice(there) if to_any and there else attempt.process.pid
    met = attempt.process.poll() is None
    if met:
        os.kill(target, number)
    code = attempt.end(SECONDS_TO_END + whole['seconds'])  # a signal may have come too late for it
    deadline = time.monotonic() + SECONDS_TO_LEAVE
    while (left := processes_of(attempt.mark)) and time.monotonic() < deadline:
        time.sleep(0.2)
    for process in left:
        os.kill(process, signal.SIGKILL)
    reported, _ = iterations(folder)
    last, starts = code, 0
    while last != 0 and starts < 3:
        starts += 1
        last = Attempt(every[name], folder).end(SECONDS_TO_END + 3 * whole['seconds'])
    lost = max(0, reported - iterations(folder)[1]) if starts and 'test' not in name else 0
    record: dict[str, Any] = dict(
        command=name, signal=number.name, to='first' if target == attempt.process.pid else 'another'
    )
    record |= dict(met=met, code=code, left=len(left), starts=starts, lost=lost, same=end_of(folder) == whole['end'])
    record['wrong'] = bool(left or code is None or not record['same'] or last != 0)
    record['wrong'] |= lost > (INTERVAL if number == signal.SIGKILL else 0)
    if not record['wrong']:
        shutil.rmtree(folder)
    return record


def table(records: Sequence[dict[str, Any]]) -> str:
    """A line for each command."""
    rows: list[tuple] = [
        ('command', 'signals', 'met it running', 'left', 'other ends', 'most lost: asked to stop', 'killed')
    ]
    for name in sorted({record['command'] for record in records}):
        own = [record for record in records if record['command'] == name]
        lost = [max([r['lost'] for r in own if (r['signal'] == 'SIGKILL') == kind], default=0) for kind in (0, 1)]
        sums = [sum(record[key] for record in own) for key in ('met', 'left')]
        rows.append((name, len(own), *sums, sum(not record['same'] for record in own), *lost))
    return markdown([[str(cell) for cell in row] for row in rows])


def main() -> None:
    """Send what was not sent yet; write ``chaos.json`` and ``chaos.md``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--signals', type=int, default=100, metavar='N')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/chaos'))
    args = parser.parse_args()
    base = args.work_dir.resolve() / f'seed{args.seed}'
    base.mkdir(parents=True, exist_ok=True)
    step = f"dict(name='trained', config={CONFIG!r}, weights='trunk', options={OPTIONS!r})"
    write_text(base / 'recipe.py', f"steps = [{step}]\ntest = {TEST!r}\nrows = {{'trained': 'trained'}}\n")
    records: dict[str, Any] = read_json(base / 'chaos.json')
    for index in range(args.signals):
        if str(index) not in records:
            records[str(index)] = disturb(index, args.seed, base)
            write_json(base / 'chaos.json', records)
            print(f'{index + 1}/{args.signals}  {records[str(index)]}', flush=True)
    told = table(list(records.values()))
    write_text(base / 'chaos.md', f'{told}\n\ncode {current_commit()}, seed {args.seed}, torch {torch.__version__}\n')
    print(told)
    if wrong := [index for index, record in records.items() if record['wrong']]:
        raise TrainingError(f'signals {", ".join(wrong)} did not end as they should: see {base}/signal_N and its log')


if __name__ == '__main__':
    run_command(main, how_to_go_on='the same command goes on where it was')
