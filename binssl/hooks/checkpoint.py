"""Checkpoints of a run: when they are written, how many are kept, and which was best."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

from mmengine.dist import barrier, broadcast_object_list, get_world_size, is_main_process
from mmengine.hooks import Hook

from binssl.core.files import name_again, read_json, write_json, write_text
from binssl.core.processes import GreatestNumber
from binssl.core.signals import Listener, Stopped
from binssl.registry import HOOKS, ConfigError

_NAME = re.compile(r'(epoch|iter)_(0|[1-9][0-9]{0,17})\.pth')


@HOOKS.register_module()
class CheckpointHook(Hook):
    """Writes ``epoch_N.pth`` and ``iter_N.pth``, the pointer ``last_checkpoint`` and the link ``latest.pth``.

    A kill at any moment leaves a file to go on from: a new checkpoint is complete before the pointer names
    it, and the old ones that a run wrote go after that. The best one is a second name of a written file, never
    a second writing.

    A signal that asks to stop is noted by ``listener``, while the run has it listen. The run then ends by
    :class:`Stopped` after the optimiser step in hand, with a checkpoint; with several processes, which have to
    agree, after the next one; in a validation after a batch of it, if one process runs and its epoch is written.

    Args:
        interval: epochs between checkpoints; the last epoch always writes one.
        interval_iters: also every so many iterations, a multiple of the accumulation.
        max_keep_ckpts: how many of them stay, at least 2, or None for all; the best stays besides.
        save_best: metric (``'knn_top1'``) whose highest value decides on ``best_<metric>.pth``; None for
            none.

    Raises:
        ConfigError: an interval that cuts through an optimiser step, a metric that validation does not give.
    """

    priority = 'VERY_LOW'

    def __init__(
        self,
        interval: int = 1,
        interval_iters: int | None = None,
        max_keep_ckpts: int | None = 2,
        save_best: str | None = None,
    ) -> None:
        too_few = max_keep_ckpts is not None and max_keep_ckpts < 2
        if interval < 1 or too_few or (interval_iters is not None and interval_iters < 1):
            raise ConfigError(
                f'checkpoint: interval {interval} and interval_iters {interval_iters} must be at least 1, '
                f'max_keep_ckpts {max_keep_ckpts} at least 2 (one is being written while one is whole), or None for all'
            )
        self.interval, self.interval_iters = interval, interval_iters
        self.max_keep_ckpts, self.save_best = max_keep_ckpts, save_best
        self.listener = Listener('ending with a checkpoint after this optimiser step; Ctrl-C again: at once')
        self._heard = GreatestNumber()
        self._stop = 0  # the signal that all processes know of
        self._written = ''

    def before_train(self, runner: Any) -> None:
        counts = runner.accumulative_counts
        if self.interval_iters and self.interval_iters % counts:
            raise ConfigError(
                f'checkpoint.interval_iters {self.interval_iters} must be a multiple of the accumulation '
                f'{counts}: in between, gradients are half summed'
            )
        if self.save_best and runner.val_loop is None:
            raise ConfigError(
                f'checkpoint.save_best={self.save_best!r} needs a val_dataloader, val_cfg and val_evaluator'
            )

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        done = runner.iter + 1
        if done % runner.accumulative_counts == 0:
            self._stop = self._heard.give(self.listener.number)
        if done % runner.train_loop.epoch_length == 0:
            return  # after_train_epoch sees to it
        if self._stop or (self.interval_iters and done % self.interval_iters == 0):
            self._write(runner, f'iter_{done}.pth', runner.epoch, done)
        if self._stop:
            raise _stopped(self._stop, runner, done)

    def after_train_epoch(self, runner: Any) -> None:
        done = runner.epoch + 1
        if self._stop or done % self.interval == 0 or done == runner.max_epochs:
            self._write(runner, f'epoch_{done}.pth', done, runner.iter)
        if self._stop and done < runner.max_epochs:
            raise _stopped(self._stop, runner, runner.iter)

    def after_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        written = Path(runner.work_dir) / f'epoch_{runner.epoch}.pth'
        if self.listener.number and get_world_size() == 1 and written.is_file():
            raise _stopped(self.listener.number, runner, runner.iter)

    def after_train(self, runner: Any) -> None:
        done, name = runner.epoch, f'epoch_{runner.epoch}.pth'
        if runner.train_loop.stop_training and done < runner.max_epochs:
            runner.say('stopped early, after epoch %d of %d, as a hook of the config asked', done, runner.max_epochs)
            if self._written != name:
                self._write(runner, name, done, runner.iter)

    def _write(self, runner: Any, name: str, epoch: int, iteration: int) -> None:
        self._written = name
        runner.save_checkpoint(runner.work_dir, name, epoch=epoch, iteration=iteration)
        if not is_main_process():
            return
        folder = Path(runner.work_dir)
        write_text(folder / 'last_checkpoint', name + '\n')
        name_again(folder / 'latest.pth', folder / name, symbolic=True)
        files = _written(folder, epoch=epoch, iter=iteration)
        kept = len(files) if self.max_keep_ckpts is None else self.max_keep_ckpts
        for old in sorted(files, key=lambda file: file.stat().st_mtime_ns)[:-kept]:
            if old.name != name:
                old.unlink()

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        if not self.save_best:
            return
        if self.save_best not in (metrics or {}):
            raise ConfigError(f'checkpoint.save_best={self.save_best!r}, but validation gives {sorted(metrics or {})}')
        value = (metrics or {})[self.save_best]
        folder, name = Path(runner.work_dir), f'epoch_{runner.epoch}.pth'
        answer = [self._is_best(runner, value), (folder / name).is_file()]
        broadcast_object_list(answer)  # one process decides for all: each of them takes part in a writing
        is_best, is_written = answer
        if is_best and not is_written:
            self._write(runner, name, runner.epoch, runner.iter)
        if is_best and is_main_process():
            best = f'best_{self.save_best}.pth'
            name_again(folder / best, folder / name)
            write_json(folder / 'best.json', dict(metric=self.save_best, value=value, epoch=runner.epoch, file=best))
            runner.say('best %s so far: %.4g, kept as %s', self.save_best, value, best)

    def _is_best(self, runner: Any, value: float) -> bool:
        best = read_json(Path(runner.work_dir) / 'best.json', metric=str, value=float, epoch=int)
        # a record of another metric, or of an epoch that is trained again after a resume, does not count
        counts = best and best['metric'] == self.save_best and 0 <= best['epoch'] <= runner.epoch
        return not counts or best['value'] < value


def _stopped(number: int, runner: Any, done: int) -> Stopped:
    barrier()  # a launcher may end all with the first that ends: the pointer is written by then
    kept = f'stopped by {signal.Signals(number).name} after iteration {done} of {runner.max_iters}'
    told = 'the same command with --resume auto goes on from there'
    return Stopped(number, f'{kept}, with a checkpoint in {runner.work_dir}; {told}')


def _written(folder: Path, **done: int) -> list[Path]:
    """The checkpoints that a run has written until now; a person's own copies have other names, or are links."""
    found = ((file, _NAME.fullmatch(file.name)) for file in folder.iterdir())
    named = [file for file, match in found if match and int(match[2]) <= done[match[1]]]
    return [file for file in named if file.is_file() and not file.is_symlink()]
