"""A run that is stopped in the middle of an epoch and resumed, beside one that is not."""

from __future__ import annotations

from collections.abc import Callable

from engine.runs import Watch, assert_same, everything, run, run_until
from mmengine.config import Config

from binssl.engine import Runner


def assert_a_stop_changes_nothing(make: Callable[..., Config], accumulated: int = 1) -> Runner:
    """Two epochs at once, against a stop behind the first optimiser step of the second one; bit for bit.

    With accumulation the stop falls in the middle of a step, of which the resumed run repeats the start.

    Args:
        make: gives the config from ``work_dir`` (a name), ``resume`` and ``default_hooks__checkpoint``.
        accumulated: batches in a step.

    Returns:
        The run that was not stopped.
    """
    whole = run(make(work_dir='whole', resume=None, checkpoint=dict(type='CheckpointHook', interval=2)))
    epoch = whole.train_loop.epoch_length
    done = epoch + accumulated
    assert done < whole.iter == 2 * epoch, 'the stop has to be in the middle of an epoch'
    checkpoint = dict(type='CheckpointHook', interval=2, interval_iters=done)
    run_until(make(work_dir='parts', resume=None, checkpoint=checkpoint), done + accumulated // 2)
    rest = Watch()
    resumed = run(make(work_dir='parts', resume='auto', checkpoint=checkpoint), rest)
    assert rest.iterations == list(range(done, 2 * epoch)), 'it has to go on, not to start again'
    assert_same(everything(whole), everything(resumed))
    return whole
