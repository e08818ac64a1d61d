"""Reports of a run: losses, rates, speed and time left, on the terminal, in the log and as scalars."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook

from binssl.core.processes import unwrap
from binssl.hooks.anneal import scheduled_groups
from binssl.registry import HOOKS, ConfigError


@HOOKS.register_module()
class ProgressHook(Hook):
    """Reports the mean of every logged value over the last ``interval`` iterations, over all processes.

    Values stay on their device and are only summed until a report is due: nothing waits for a GPU in between,
    and the cost of an iteration does not grow with the length of the run. Other hooks may read a report:
    ``after_report(runner, values)``.

    Args:
        interval: iterations between two reports.
    """

    priority = 'BELOW_NORMAL'

    def __init__(self, interval: int = 50) -> None:
        if interval < 1:
            raise ConfigError(f'progress.interval is {interval!r}; it must be a whole number of at least 1')
        self.interval = interval

    def before_train(self, runner: Any) -> None:
        self._start(runner.iter)
        runner.say(
            'training %s: %d epochs of %d iterations, %d batch(es) a step, starting at iteration %d',
            type(unwrap(runner.model)).__name__,
            runner.max_epochs,
            runner.train_loop.epoch_length,
            runner.accumulative_counts,
            runner.iter,
        )

    def _start(self, iteration: int) -> None:
        self._sums: torch.Tensor | None = None
        self._names: list[str] = []
        self._first, self._since = iteration, time.perf_counter()
        self._waited, self._left_loop = 0.0, self._since

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        self._waited += time.perf_counter() - self._left_loop

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        values = torch.stack([value.detach().float() for value in outputs.values()])
        self._sums = values if self._sums is None else self._sums.add_(values)
        self._names = list(outputs)
        done = runner.iter + 1
        if done % self.interval == 0 or done == runner.max_iters:
            self._report(runner, done)
            self._start(done)
        self._left_loop = time.perf_counter()

    def _report(self, runner: Any, done: int) -> None:
        assert self._sums is not None
        count = done - self._first
        means = self._sums / count
        all_reduce(means, op='mean')
        values = dict(zip(self._names, means.tolist(), strict=True))
        if runner.optim_wrapper.last_gradient_norm is not None:
            values['grad_norm'] = float(runner.optim_wrapper.last_gradient_norm)
        if (loss_scale := runner.optim_wrapper.loss_scale) is not None:
            values['loss_scale'] = loss_scale
        seconds = (time.perf_counter() - self._since) / count
        waited = self._waited / count
        # what the last iteration trained with: each value of a hook (its ``values``), and the highest scheduled rate
        scheduled = {name: value for hook in runner.hooks for name, value in getattr(hook, 'values', {}).items()}
        scheduled['lr'] = max(group['lr'] for group in scheduled_groups(runner))
        scalars = dict(values, **scheduled, seconds=seconds, data_seconds=waited, epoch=runner.epoch + 1)
        runner.visualizer.add_scalars(scalars, step=done)
        left = timedelta(seconds=round(seconds * (runner.max_iters - done)))
        memory = f'  {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB' if torch.cuda.is_initialized() else ''
        runner.say(
            f'epoch {runner.epoch + 1}/{runner.max_epochs}  iter {done}/{runner.max_iters}  {_numbers(values)}  '
            f'lr {scheduled["lr"]:.3g}  {seconds * 1000:.0f} ms/iter (data {waited * 1000:.0f}){memory}  {left} left'
        )
        runner.call_hook('after_report', values=values)

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        validated = {f'val_{name}': value for name, value in (metrics or {}).items()}
        runner.visualizer.add_scalars(validated, step=runner.iter)
        runner.say('validation after epoch %d: %s', runner.epoch, _numbers(metrics or {}))
        self._left_loop = time.perf_counter()

    def after_test_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        runner.say('test: %s', _numbers(metrics or {}))


def _numbers(values: dict[str, float]) -> str:
    return '  '.join(f'{name} {value:.4g}' for name, value in values.items())
