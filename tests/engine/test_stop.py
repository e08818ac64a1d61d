"""A run that is asked to stop keeps the optimiser step in hand, and goes on as the run that was not."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
from pathlib import Path

import pytest
from engine.runs import VALIDATION, Watch, assert_same, build, burn, everything, moco, run
from mmengine.hooks import Hook

from binssl.checkpoints import read_checkpoint
from binssl.core.signals import Stopped

#: epochs of eight iterations, two to an optimiser step; no checkpoint of its own but the last
SETTINGS = dict(batch=128, global_batch_size=256, default_hooks__checkpoint=dict(type='CheckpointHook', interval=2))


class SignalBefore(Hook):
    """Sends ``number`` to this process before iteration ``at``, counted from 1, ``times`` times."""

    def __init__(self, at: int, number: int = signal.SIGTERM, times: int = 1) -> None:
        self.at, self.number, self.times = at, number, times

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter + 1 == self.at:
            for _ in range(self.times):
                os.kill(os.getpid(), self.number)


def of(make, folder: Path, name: str, **more):
    """Runs of one name differ in nothing: the teacher's path is recorded."""
    return make(folder, **{**SETTINGS, **more, 'work_dir': str(folder / name)})


@pytest.mark.parametrize(
    ('make', 'at', 'number', 'code', 'kept'),
    [
        (burn, 3, signal.SIGTERM, 143, 'iter_4.pth'),  # the first half of a step
        (moco, 6, signal.SIGUSR1, 143, 'iter_6.pth'),  # the second half
        (burn, 7, signal.SIGHUP, 143, 'epoch_1.pth'),  # the last step of an epoch, which would not be written
        (moco, 11, signal.SIGINT, 130, 'iter_12.pth'),
    ],
)
def test_a_stopped_run_loses_nothing(make, at, number, code, kept, tmp_path):
    whole = run(of(make, tmp_path, 'whole'))
    with pytest.raises(Stopped) as caught:
        run(of(make, tmp_path, 'parts'), SignalBefore(at, number))
    assert caught.value.exit_code == code
    done = at + at % 2
    told = f'stopped by {number.name} after iteration {done} of 16, with a checkpoint in {tmp_path / "parts"}; '
    assert str(caught.value) == told + 'the same command with --resume auto goes on from there'
    assert [file.name for file in (tmp_path / 'parts').glob('*_*.pth')] == [kept]
    assert read_checkpoint(tmp_path / 'parts' / kept)['meta']['iter'] == done
    assert signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler)
    assert_same(everything(whole), everything(run(of(make, tmp_path, 'parts', resume='auto'))))


def test_a_run_that_is_stopped_in_its_last_step_is_done(tmp_path):
    assert run(of(burn, tmp_path, 'run'), SignalBefore(15)).iter == 16
    assert (tmp_path / 'run/epoch_2.pth').is_file()


def test_a_second_ctrl_c_ends_at_once_without_a_checkpoint(tmp_path):
    with pytest.raises(KeyboardInterrupt) as caught:
        run(of(burn, tmp_path, 'run'), SignalBefore(3, signal.SIGINT, times=2))
    assert not isinstance(caught.value, Stopped)
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_a_run_without_checkpoints_is_ended_at_once(tmp_path):
    with pytest.raises(KeyboardInterrupt) as caught:
        run(of(burn, tmp_path, 'run', default_hooks__checkpoint=None), SignalBefore(3, signal.SIGINT))
    assert not isinstance(caught.value, Stopped)


@pytest.mark.parametrize(('interval', 'validated'), [(1, [1, 2]), (2, [2])])
def test_a_stop_while_validating_waits_only_where_the_epoch_is_not_written(interval, validated, tmp_path):
    """Validation of an epoch that was not written is gone through, as an average may stand where the weights were."""

    class SignalInValidation(Hook):
        def before_val_iter(self, runner, batch_idx, data_batch=None) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

    more = dict(VALIDATION, default_hooks__checkpoint=dict(type='CheckpointHook', interval=interval))
    whole = run(of(burn, tmp_path, 'whole', **more))
    with pytest.raises(Stopped, match=f'after iteration {8 if interval == 1 else 10} of 16'):
        run(of(burn, tmp_path, 'parts', **more), SignalInValidation())
    resumed, seen = build(of(burn, tmp_path, 'parts', resume='auto', **more), Watch()), []
    validate = resumed.val_loop.run
    resumed.val_loop.run = lambda: (seen.append(resumed.epoch), validate())
    resumed.train()
    assert seen == validated
    assert_same(everything(whole), everything(resumed))


@pytest.mark.process
def test_workers_change_nothing_and_bring_the_rest_of_a_step_that_is_stopped(tmp_path):
    """SLURM and systemd send the signal to every process of a run, its workers among them."""
    whole = run(of(moco, tmp_path, 'whole'))
    workers = dict(train_dataloader__num_workers=2, train_dataloader__persistent_workers=True)

    class SignalToAll(SignalBefore):
        def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
            if runner.iter + 1 == self.at:
                here = os.getpid()
                children = Path(f'/proc/self/task/{here}/children').read_text().split()
                workers = {int(child) for child in children} & {
                    child.pid for child in multiprocessing.active_children()
                }
                assert len(workers) == 2
                # another process sends it, as the parent's own would end a worker
                subprocess.run(['kill', *map(str, workers), str(here)], check=True)

    with pytest.raises(Stopped, match='after iteration 6 of 16'):
        run(of(moco, tmp_path, 'parts', **workers), SignalToAll(5))
    resumed = run(of(moco, tmp_path, 'parts', resume='auto', **workers))
    assert_same(everything(whole), everything(resumed))
    del resumed
    gc.collect()
    assert not multiprocessing.active_children(), 'the workers end with their loader'
