"""A run that is stopped in the middle of an epoch and resumed, beside one that is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.runs import Watch, assert_same, build, everything, run
from mmengine.config import Config

from binssl.engine import Runner
from binssl.hooks import CheckpointHook


def assert_a_stop_changes_nothing(make: Callable[..., Config], accumulated: int = 1) -> Runner:
    """Two epochs, against a run from the checkpoint behind the first optimiser step of the second one; bit for bit.

    Args:
        make: gives the config from ``work_dir`` (a name), ``resume`` and ``default_hooks__checkpoint``.
        accumulated: batches in a step.

    Returns:
        The run that was not stopped.
    """
    runner = build(make(work_dir='whole', resume=None, checkpoint=dict(type='CheckpointHook', interval=2)))
    epoch = runner.train_loop.epoch_length
    done = epoch + accumulated
    assert done < 2 * epoch, 'the stop has to be in the middle of an epoch'
    [hook] = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook)]
    hook.interval_iters = done
    runner.train()
    assert runner.iter == 2 * epoch
    file = str(Path(runner.work_dir) / f'iter_{done}.pth')
    rest = Watch()
    resumed = run(make(work_dir='parts', resume=file, checkpoint=dict(type='CheckpointHook', interval=2)), rest)
    assert rest.iterations == list(range(done, 2 * epoch)), 'it has to go on, not to start again'
    assert_same(everything(runner), everything(resumed))
    return runner
