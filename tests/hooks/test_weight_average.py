"""The averaged weights: their value, who sees them, and that training never notices."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from engine.runs import VALIDATION, Watch, assert_same, burn, classifier, everything, log_of, moco, run, run_until

import binssl
from binssl.checkpoints import CheckpointError, extract_weights, read_checkpoint
from binssl.hooks import WeightAverageHook
from binssl.registry import HOOKS, ConfigError

DECAY = 0.75
AVERAGE = dict(custom_hooks=[dict(type='WeightAverageHook', decay=DECAY)])
EVERY_STEP = dict(type='CheckpointHook', interval_iters=2)


def weights_of(runner) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in runner.model.named_parameters()}


def hook_of(runner) -> WeightAverageHook:
    (hook,) = [hook for hook in runner.hooks if isinstance(hook, WeightAverageHook)]
    return hook


class Replay(Watch):
    """a <- decay a + (1 - decay) w, from the weights that are seen after each step."""

    def __init__(self, counts: int = 1) -> None:
        super().__init__()
        self.counts = counts

    def before_train(self, runner) -> None:
        self.average = weights_of(runner)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        if (runner.iter + 1) % self.counts == 0:
            for name, weight in weights_of(runner).items():
                self.average[name] = DECAY * self.average[name] + (1 - DECAY) * weight


@pytest.mark.parametrize('counts', [1, 2])
def test_it_follows_once_a_step(counts, tmp_path):
    replay = Replay(counts)
    runner = run(classifier(tmp_path, optim_wrapper__accumulative_counts=counts, **AVERAGE), replay)
    state = read_checkpoint(tmp_path / 'run/latest.pth')['state_dict']
    for name, wanted in replay.average.items():
        torch.testing.assert_close(state[name], wanted, rtol=1e-5, atol=1e-7, msg=name)
    assert any(not torch.equal(state[name], weight) for name, weight in weights_of(runner).items())


def test_training_is_what_it_is_without(tmp_path):
    plain, averaged = Watch(), Watch()
    alone = run(classifier(tmp_path / 'plain', **VALIDATION), plain)
    runner = run(classifier(tmp_path / 'averaged', **VALIDATION, **AVERAGE), averaged)
    assert averaged.losses == plain.losses
    assert_same(everything(alone), everything(runner))


def test_a_checkpoint_holds_the_average_and_the_raw_weights_beside_it(tmp_path):
    runner = run(classifier(tmp_path, **AVERAGE))
    content = read_checkpoint(tmp_path / 'run/latest.pth')
    assert_same(content['raw_state_dict'], dict(runner.model.state_dict()))
    averaged = hook_of(runner)._average
    assert set(averaged) == set(weights_of(runner))
    assert_same({name: content['state_dict'][name] for name in averaged}, averaged)
    buffers = {name: value for name, value in runner.model.state_dict().items() if name not in averaged}
    assert any('running_mean' in name for name in buffers)
    assert_same({name: content['state_dict'][name] for name in buffers}, buffers)


def test_validation_sees_the_average(tmp_path):
    seen = []

    class Look(Watch):
        def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
            seen.append(weights_of(runner))

        def after_train_epoch(self, runner) -> None:
            seen.clear()

    best = dict(type='CheckpointHook', save_best='knn_top1')
    runner = run(classifier(tmp_path, default_hooks__checkpoint=best, **VALIDATION, **AVERAGE), Look())
    assert seen
    averaged = hook_of(runner)._average
    for weights in seen:
        assert_same(weights, averaged)
    assert any(not torch.equal(weight, averaged[name]) for name, weight in weights_of(runner).items())


def test_what_is_best_but_was_not_written_is_written_after_the_weights_are_back(tmp_path):
    """The first validation is of an epoch that wrote no checkpoint: it is written for being the best."""
    best = dict(type='CheckpointHook', save_best='knn_top1', interval=2, max_keep_ckpts=5)
    replay, kept = Replay(), {}

    class Keep(Watch):
        def after_train_epoch(self, runner) -> None:
            kept.setdefault('raw', {name: value.clone() for name, value in runner.model.state_dict().items()})
            kept.setdefault('average', dict(replay.average))

    run(classifier(tmp_path, default_hooks__checkpoint=best, **VALIDATION, **AVERAGE), replay, Keep())
    content = read_checkpoint(tmp_path / 'run/epoch_1.pth')
    assert_same(content['raw_state_dict'], kept['raw'])
    for name, wanted in kept['average'].items():
        torch.testing.assert_close(content['state_dict'][name], wanted, rtol=1e-5, atol=1e-7)


def test_models_extraction_and_a_next_run_take_the_average(tmp_path):
    run(classifier(tmp_path, **AVERAGE))
    path = tmp_path / 'run/latest.pth'
    state = read_checkpoint(path)['state_dict']
    assert_same(dict(binssl.load_model(path).state_dict()), state)
    table = extract_weights(path, tmp_path / 'weights.pth')
    assert 'these are the averages over the steps of the run, decay 0.75' in table
    extracted = read_checkpoint(tmp_path / 'weights.pth')
    assert 'raw_state_dict' not in extracted
    assert extracted['meta']['weight_average_decay'] == DECAY
    assert_same(extracted['state_dict'], {name: state[name] for name in extracted['state_dict']})
    started = {}

    class Start(Watch):
        def before_train(self, runner) -> None:
            started.update({name: value.clone() for name, value in runner.model.state_dict().items()})

    run(classifier(tmp_path / 'next', epochs=1, load_from=str(path)), Start())
    assert_same(started, state)


@pytest.mark.parametrize('make', [classifier, moco, burn], ids=['classifier', 'moco', 'burn'])
def test_a_resumed_run_is_the_run_that_was_not_stopped(make, tmp_path):
    """Stopped inside an epoch, inside an accumulation, at the end of an epoch and so before its validation."""
    best = dict(EVERY_STEP, save_best='knn_top1')
    settings = dict(batch=128, global_batch_size=256, default_hooks__checkpoint=best, **VALIDATION, **AVERAGE)
    whole = run(make(tmp_path, work_dir=str(tmp_path / 'whole'), **settings))
    parts = dict(settings, work_dir=str(tmp_path / 'parts'), resume='auto')
    for stop in (3, 8, 13):
        run_until(make(tmp_path, **parts), stop)
    resumed = run(make(tmp_path, **parts))
    assert_same(everything(whole), everything(resumed))
    assert_same(hook_of(whole)._average, hook_of(resumed)._average)
    files = [read_checkpoint(tmp_path / name / 'latest.pth') for name in ('whole', 'parts')]
    for key in ('state_dict', 'raw_state_dict'):
        assert_same(*(file[key] for file in files))
    records = [Path(tmp_path / name / 'best.json').read_text() for name in ('whole', 'parts')]
    assert records[0] == records[1]


def test_a_checkpoint_without_an_average_is_refused(tmp_path):
    run_until(classifier(tmp_path, default_hooks__checkpoint=EVERY_STEP), 3)
    late = dict(default_hooks=dict(average=AVERAGE['custom_hooks'][0]))
    with pytest.raises(ConfigError, match='was written without WeightAverageHook and holds no average'):
        run(classifier(tmp_path, resume='auto', **late))


def test_an_average_that_nobody_would_go_on_with_is_refused(tmp_path):
    average = dict(checkpoint=EVERY_STEP, average=AVERAGE['custom_hooks'][0])
    run_until(classifier(tmp_path, default_hooks=average), 3)
    with pytest.raises(CheckpointError, match=r'with WeightAverageHook \(decay 0\.75\), .* resume with the hook'):
        run(classifier(tmp_path, resume='auto'))
    run(classifier(tmp_path / 'next', epochs=1, load_from=str(tmp_path / 'run/latest.pth')))


def test_it_says_so_and_warns_of_an_average_that_hardly_moves(tmp_path):
    log = log_of(run(classifier(tmp_path / 'short', epochs=1, custom_hooks=[dict(type='WeightAverageHook')])))
    assert 'weights averaged with decay 0.9999: validation and checkpoints see the average' in log
    assert 'after the 4 optimiser steps of this run the average will still be 100 % the weights' in log
    quick = [dict(type='WeightAverageHook', decay=0.2)]
    assert 'will still be' not in log_of(run(classifier(tmp_path / 'quick', epochs=1, custom_hooks=quick)))


@pytest.mark.parametrize('decay', [0, 1, 1.5, -0.1, float('nan'), '0.9', True])
def test_decay_outside_its_range_is_an_error(decay):
    with pytest.raises(ConfigError, match=r'decay is .* must be (float|a number)|decay .* must lie between 0 and 1'):
        HOOKS.build(dict(type='WeightAverageHook', decay=decay))
