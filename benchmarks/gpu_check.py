"""What a GPU has to show, in one command of less than ten minutes; a table and a JSON file say how it went.

1. the tests that need a GPU (tests/gpu);
2. the digits chain, shortened: MoCo teacher, BURN stage 1, extraction, stage 2, extraction, k-NN and linear accuracy;
3. ReActNet-A under BURN stage 2 (configs/selfsup/burn/stage2.py) at 224 px in fp16 and in bf16, two batches a step,
   through the Runner, on random images in memory: finite losses, a resume that goes on as the run did not stop, images
   a second, peak memory.

    python benchmarks/gpu_check.py --out gpu_check.json
    python benchmarks/gpu_check.py --device cpu --tiny      # no GPU: shows that the script itself works

Exits with 1 where something failed, and says what was not done.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from torch import Tensor

from binssl.checkpoints import write_checkpoint
from binssl.datasets.base import BatchedDataset
from binssl.engine import Runner, load_config, processes
from binssl.registry import ALGORITHMS, DATASETS

ROOT = Path(__file__).resolve().parents[1]
STAGE2 = ROOT / 'configs/selfsup/burn/stage2.py'


@dataclass
class Result:
    """One line of the table: what was looked at, whether it was as it should be (None: not done), the figures."""

    name: str
    passed: bool | None
    figures: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def verdict(self) -> str:
        """In a word."""
        return {True: 'ok', False: 'FAILED', None: 'NOT DONE'}[self.passed]


@DATASETS.register_module(force=True)
class RandomImages(BatchedDataset):
    """``length`` random uint8 images a view, in memory; batches are gathered, nothing is decoded."""

    def __init__(self, length: int, size: int, views: int = 2, seed: int = 0) -> None:
        draw = torch.Generator().manual_seed(seed)
        shape = (length, 3, size, size)
        self.views = [torch.randint(256, shape, dtype=torch.uint8, generator=draw) for _ in range(views)]

    def __len__(self) -> int:
        return len(self.views[0])

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> dict[str, Any]:
        indices = torch.tensor([index for index, _ in keys])
        return dict(images=[view[indices] for view in self.views], labels=torch.zeros_like(indices), indices=indices)


class Observer(Hook):
    """Keeps the loss of every iteration on its device, and the seconds of whole stretches of iterations."""

    priority = 'LOWEST'

    def __init__(self, stretch: int) -> None:
        self.stretch = stretch
        self.losses: list[Tensor] = []
        self.seconds: list[float] = []

    def before_train(self, runner: Any) -> None:
        self._since = now()

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        self.losses.append(outputs['loss'].detach())
        if len(self.losses) % self.stretch == 0:
            self.seconds.append((now() - self._since) / self.stretch)
            self._since = now()

    def numbers(self) -> list[float]:
        """The losses as numbers."""
        return torch.stack(self.losses).float().tolist()


def now() -> float:
    """Wall time with the device's queue empty."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def write_stage1(model: dict, folder: Path) -> tuple[Path, Path]:
    """Random files in the place of the published extractor and of stage 1's weights."""
    torch.manual_seed(0)
    teacher, start = folder / 'teacher.pth', folder / 'stage1.pth'
    extractor = ALGORITHMS.build(dict(type='Encoder', backbone=model['teacher']['backbone']))
    write_checkpoint(dict(format_version=1, state_dict=extractor.state_dict(), meta={}), teacher)
    student = ALGORITHMS.build(dict(model, teacher=dict(model['teacher'], checkpoint=str(teacher))))
    meta = dict(kind='weights', model=json.dumps(dict(type='Encoder', backbone=model['backbone'], neck=model['neck'])))
    write_checkpoint(dict(format_version=1, state_dict=student.state_dict(), meta=meta), start)
    return teacher, start


def stage2(args: argparse.Namespace, folder: Path, precision: str) -> Config:
    """The paper's second stage on random images: two epochs of ``args.iterations``, two batches a step."""
    options = {
        'optim_wrapper.precision': precision,
        'global_batch_size': 2 * args.batch,
        'train_cfg.max_epochs': 2,
        'schedules.lr.warmup_epochs': 0,
        'train_dataloader.batch_size': args.batch,
        'train_dataloader.num_workers': 0,
    }
    cfg = load_config(STAGE2, options)
    cfg.train_dataloader.dataset = dict(type='RandomImages', length=args.batch * args.iterations, size=args.size)
    cfg.custom_hooks = []
    cfg.visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])
    cfg.work_dir = str(folder / precision)
    teacher, start = folder / 'teacher.pth', folder / 'stage1.pth'
    if not teacher.is_file():
        write_stage1(cfg.model.to_dict(), folder)
    cfg.model.teacher.checkpoint, cfg.load_from = str(teacher), str(start)
    return cfg


def train(cfg: Config, stretch: int, name: str) -> Observer:
    """Run ``cfg`` to its end; what was seen on the way."""
    cfg.experiment_name = name  # mmengine keeps loggers by name
    runner, observer = Runner.from_cfg(cfg), Observer(stretch)
    runner.register_hook(observer)
    runner.train()
    return observer


def check_large(args: argparse.Namespace, folder: Path, precision: str) -> Result:
    """BURN stage 2 with ReActNet-A in one precision: whole, then its second epoch again from the first's checkpoint."""
    cfg = stage2(args, folder, precision)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    whole = train(cfg, args.stretch, f'{precision}_whole')
    memory = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
    cfg.resume, cfg.work_dir, cfg.load_from = str(Path(cfg.work_dir) / 'epoch_1.pth'), cfg.work_dir + '_resumed', None
    resumed = train(cfg, args.stretch, f'{precision}_resumed')
    losses, again = whole.numbers(), resumed.numbers()
    apart = max(abs(a - b) / abs(b) for a, b in zip(again, losses[len(losses) - len(again) :], strict=True))
    fast = statistics.median(whole.seconds[1:] or whole.seconds)
    figures = dict(
        first_loss=losses[0],
        last_loss=losses[-1],
        resume_apart=apart,
        images_per_second=args.batch / fast,
        ms_per_iteration=1e3 * fast,
        peak_memory_gib=memory and memory / 2**30,
        batch=args.batch,
        size=args.size,
        iterations=len(losses),
    )
    finite = all(map(math.isfinite, [*losses, *again]))
    # a GPU may order its sums differently in every run; a resume that lost something would be far off
    return Result(f'BURN stage 2, ReActNet-A, {precision}', finite and apart < args.tolerance, figures)


def command(*words: str | Path) -> str:
    """Run one of the project's commands; its output. Raises where it fails, with the last lines."""
    done = subprocess.run([sys.executable, *map(str, words)], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f'{words[0]} ended with {done.returncode}:\n' + (done.stdout + done.stderr)[-2000:])
    return done.stdout


def check_digits(args: argparse.Namespace, folder: Path) -> Result:
    """The chain of the quick start with ``args.epochs`` epochs a stage, and what the features are worth."""
    chain = [
        ('teacher', 'configs/selfsup/moco/reactnet_real_digits.py', 'extract_weights.py', []),
        ('stage1', 'configs/selfsup/burn/stage1_digits.py', 'extract_weights_for_multi.py', ['teacher']),
        ('stage2', 'configs/selfsup/burn/stage2_digits.py', 'extract_weights.py', ['teacher', 'stage1']),
    ]
    names = dict(teacher='model.teacher.checkpoint', stage1='load_from')
    for step, config, extraction, inputs in chain:
        options = [f'{names[name]}={folder / name / "weights.pth"}' for name in inputs]
        command(
            'tools/train.py',
            config,
            '--device',
            args.device,
            '--work-dir',
            folder / step,
            '--cfg-options',
            f'train_cfg.max_epochs={args.epochs}',
            *options,
        )
        command(f'tools/{extraction}', folder / step / 'latest.pth', folder / step / 'weights.pth')
    out = folder / 'digits.json'
    command(
        'tools/test.py',
        'configs/benchmarks/features/digits.py',
        folder / 'stage2' / 'weights.pth',
        '--device',
        args.device,
        '--work-dir',
        folder / 'test',
        '--out',
        out,
    )
    metrics = json.loads(out.read_text())['metrics']
    # untrained binary features give 40 to 50; a short chain has to be better than that
    return Result('digits chain, short', args.tiny or metrics['linear_top1'] > 60, dict(metrics, epochs=args.epochs))


def check_tests(args: argparse.Namespace, folder: Path) -> Result:
    """tests/gpu in a process of its own; not done where there is no GPU."""
    report = folder / 'tests.txt'
    done = subprocess.run([sys.executable, '-m', 'pytest', '-q', 'tests/gpu'], cwd=ROOT, capture_output=True, text=True)
    report.write_text(done.stdout + done.stderr)
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr[-200:]
    if done.returncode:
        print(done.stdout[-4000:])
    ran = 'passed' in last or 'failed' in last
    return Result('tests that need a GPU', done.returncode == 0 if ran or done.returncode else None, dict(pytest=last))


def look(name: str, check: Callable[[], Result]) -> Result:
    """The result of ``check`` with its time; whatever it raises is a failure with its reason."""
    print(f'-- {name}', flush=True)
    start = time.perf_counter()
    try:
        result = check()
    except Exception as error:
        # one check that breaks must not keep the others from being made
        result = Result(name, False, dict(error=f'{type(error).__name__}: {error}'))
    result.seconds = time.perf_counter() - start
    print(f'   {result.verdict}, {result.seconds:.0f} s', flush=True)
    return result


def table(results: Sequence[Result]) -> str:
    """All results, a line each, figures behind."""
    rows = []
    for result in results:
        figures = ', '.join(f'{k} {v:.4g}' if isinstance(v, float) else f'{k} {v}' for k, v in result.figures.items())
        rows.append(f'{result.verdict:9} {result.name:38} {result.seconds:5.0f} s   {figures}')
    return '\n'.join(rows)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The flags; ``--tiny`` sets the sizes down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--device', choices=('auto', 'cpu'), default='auto')
    parser.add_argument('--tiny', action='store_true', help='a few small batches of everything; no figures to quote')
    parser.add_argument('--batch', type=int, default=128, help='images of a batch; two views of each')
    parser.add_argument('--iterations', type=int, default=30, help='batches of each of two epochs')
    parser.add_argument('--epochs', type=int, default=20, help='of each stage of the digits chain')
    parser.add_argument('--out', type=Path, help='JSON to write; default: gpu_check.json in $OUT, where that is set')
    args = parser.parse_args(arguments)
    args.size, args.stretch, args.tolerance = 224, 10, 0.05
    if args.tiny:
        args.batch, args.iterations, args.epochs, args.size, args.stretch = 2, 2, 1, 32, 2
    if args.out is None and os.environ.get('OUT'):
        args.out = Path(os.environ['OUT']) / 'gpu_check.json'
    return args


def machine(on_gpu: bool) -> dict[str, Any]:
    """What the figures were measured on."""
    return dict(
        gpu=torch.cuda.get_device_name() if on_gpu else None,
        torch=torch.__version__,
        cuda=torch.version.cuda,
        python=platform.python_version(),
        machine=platform.machine(),
        cores=os.cpu_count(),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Make all checks, print the table, write the JSON; 1 where one failed."""
    args = parse(arguments)
    start = time.perf_counter()
    on_gpu = args.device != 'cpu' and torch.cuda.is_available()
    about = machine(on_gpu)
    print(f'{about}', flush=True)
    with tempfile.TemporaryDirectory() as name, processes('none', args.device):
        folder = Path(name)
        results = [
            look('tests that need a GPU', lambda: check_tests(args, folder)),
            look('digits chain, short', lambda: check_digits(args, folder)),
        ]
        for precision in ('fp16', 'bf16'):
            if precision == 'fp16' and not on_gpu:
                results.append(Result(f'BURN stage 2, ReActNet-A, {precision}', None))
            else:
                results.append(look(f'BURN stage 2, {precision}', lambda p=precision: check_large(args, folder, p)))
    minutes = (time.perf_counter() - start) / 60
    print(f'\n{table(results)}\n{minutes:.1f} minutes')
    if not on_gpu:
        print(
            'There was no GPU: nothing above says how binssl does on one. Not done: the tests of tests/gpu, fp16, '
            'peak memory; what ran, ran on the CPU' + (' in miniature' if args.tiny else '') + '.'
        )
    if args.out:
        record = dict(machine=about, tiny=args.tiny, minutes=minutes, results=[vars(result) for result in results])
        args.out.write_text(json.dumps(record, indent=1) + '\n')
        print(f'written: {args.out}')
    return int(any(result.passed is False for result in results))


if __name__ == '__main__':
    raise SystemExit(main())
