"""Hooks that change a checkpoint as it is written and read: a resumed run takes the weights from their hands."""

from __future__ import annotations

import pytest
import torch
from engine.runs import Watch, assert_same, classifier, everything, moco, run, run_until
from mmengine.hooks import EMAHook

from binssl.checkpoints import read_checkpoint
from binssl.engine import runner as engine_runner

EVERY_STEP = dict(type='CheckpointHook', interval_iters=2)
AVERAGES = dict(
    exponential=dict(type='EMAHook', momentum=0.1),
    plain=dict(type='EMAHook', ema_type='StochasticWeightAverage', begin_iter=1),
    annealed=dict(type='EMAHook', ema_type='MomentumAnnealingEMA', gamma=10, update_buffers=True),
    strict=dict(type='EMAHook', momentum=0.1, strict_load=True, begin_epoch=2),
)


@pytest.mark.parametrize('name', AVERAGES)
def test_run_with_an_average_of_mmengine_goes_on_with_the_raw_weights(name, tmp_path):
    make = moco if name == 'exponential' else classifier
    settings = dict(default_hooks__checkpoint=EVERY_STEP, custom_hooks=[AVERAGES[name]])
    whole = run(make(tmp_path / 'whole', **settings))
    for stop in (3, 5):
        run_until(make(tmp_path / 'parts', resume='auto', **settings), stop)
    resumed = run(make(tmp_path / 'parts', resume='auto', **settings))
    assert_same(everything(whole), everything(resumed))
    files = [read_checkpoint(tmp_path / part / 'run/latest.pth') for part in ('whole', 'parts')]
    for key in ('state_dict', 'ema_state_dict'):
        assert_same(*(file[key] for file in files))
    learned = [key for key, value in files[0]['state_dict'].items() if not torch.equal(value, everything(whole)[key])]
    assert learned  # the file's weights are averages


class Packed(Watch):
    """Writes the weights under other names and negated, and undoes both when they are read."""

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        checkpoint['state_dict'] = {f'packed.{key}': -value for key, value in checkpoint['state_dict'].items()}

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        state = checkpoint['state_dict']
        checkpoint['state_dict'] = {key.removeprefix('packed.'): -value for key, value in state.items()}


def test_hook_may_write_the_weights_in_a_form_of_its_own(tmp_path):
    settings = dict(default_hooks__checkpoint=EVERY_STEP)
    whole = run(classifier(tmp_path / 'whole', **settings))

    class Stop(Packed):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
            if runner.iter == 4:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(classifier(tmp_path / 'parts', **settings), Stop())
    resumed = run(classifier(tmp_path / 'parts', resume='auto', **settings), Packed())
    assert_same(everything(whole), everything(resumed))


def test_other_processes_hand_their_hooks_a_checkpoint_to_change_and_write_nothing(tmp_path, monkeypatch):
    """mmengine's average swaps the weights of ``checkpoint['state_dict']`` in each process."""
    whole = run(classifier(tmp_path, epochs=1, custom_hooks=[AVERAGES['exponential']]))
    (hook,) = [hook for hook in whole.hooks if isinstance(hook, EMAHook)]
    before = {key: value.clone() for key, value in whole.model.state_dict().items()}
    monkeypatch.setattr(engine_runner, 'is_main_process', lambda: False)
    whole.save_checkpoint(str(tmp_path), 'other.pth')
    assert not (tmp_path / 'other.pth').exists()
    assert_same(before, dict(whole.model.state_dict()))
    assert hook.ema_model.steps > 0
