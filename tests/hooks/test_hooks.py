"""Each hook against what it promises, in real runs of a small network."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from engine.runs import VALIDATION, Watch, build, burn, classifier, log_of, moco, run, run_until
from torch import nn

import binssl.hooks.checkpoint
import binssl.hooks.guards
from binssl.checkpoints import read_checkpoint
from binssl.core.randomness import counter_seed
from binssl.hooks import CheckpointHook, CounterSeedHook, GradientAuditHook, InformationHook, NotANumberHook
from binssl.registry import ConfigError, TrainingError

EVERY_STEP = dict(type='CheckpointHook', interval_iters=1, max_keep_ckpts=2)


# random numbers


class Draws(Watch):
    """What the model would draw in each iteration."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn: dict[int, float] = {}

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.drawn[runner.iter] = torch.rand(()).item()


def test_random_numbers_are_the_iterations_own_whatever_was_before(tmp_path):
    whole = Draws()
    run(classifier(tmp_path / 'whole', **VALIDATION), whole)
    run_until(classifier(tmp_path / 'parts', default_hooks__checkpoint=EVERY_STEP), 6)
    resumed = Draws()
    run(classifier(tmp_path / 'parts', resume='auto'), resumed)
    assert len(set(whole.drawn.values())) == 8
    assert resumed.drawn == {iteration: whole.drawn[iteration] for iteration in (6, 7)}


def test_seeds_differ_by_seed_rank_and_iteration():
    runner = SimpleNamespace(seed=0, iter=0)
    CounterSeedHook().before_train_iter(runner, 0)
    assert torch.default_generator.initial_seed() == counter_seed(0, 0, 0)
    seeds = {counter_seed(seed, rank, at) for seed in range(4) for rank in range(4) for at in range(64)}
    assert len(seeds) == 4 * 4 * 64
    assert all(0 <= seed < 2**63 for seed in seeds)


# losses that are no numbers


def runner_with(iteration: int, folder: Path | None = None) -> SimpleNamespace:
    wrapper = SimpleNamespace(loss_scale=None)
    return SimpleNamespace(iter=iteration, last_checkpoint=lambda: folder, optim_wrapper=wrapper)


def test_first_bad_iteration_is_named_at_once():
    hook = NotANumberHook()
    hook.after_train_iter(runner_with(3), 3, outputs=dict(loss=torch.tensor(1.0)))
    for bad in (float('nan'), float('inf'), -float('inf')):
        with pytest.raises(TrainingError, match=r'not finite at iteration 5; no checkpoint had been written'):
            NotANumberHook().after_train_iter(runner_with(4), 4, outputs=dict(loss=torch.tensor(bad)))


def test_an_interval_below_one_is_refused():
    with pytest.raises(ConfigError, match='interval of NotANumberHook is 0; it must be an integer of at least 1'):
        NotANumberHook(interval=0)


def test_on_other_devices_the_first_bad_one_is_asked_for_later_and_before_every_checkpoint(monkeypatch):
    monkeypatch.setattr(binssl.hooks.guards, 'get_world_size', lambda: 2)
    hook = NotANumberHook(interval=10)
    for iteration, loss in enumerate([1.0, float('nan'), 1.0, float('inf')]):
        hook.after_train_iter(runner_with(iteration), iteration, outputs=dict(loss=torch.tensor(loss)))
    with pytest.raises(TrainingError, match=r'iteration 2; the last good checkpoint is good\.pth'):
        hook.before_save_checkpoint(runner_with(4, Path('good.pth')), {})
    with pytest.raises(TrainingError, match='iteration 2'):
        hook.after_train_iter(runner_with(9), 9, outputs=dict(loss=torch.tensor(1.0)))


# gradients


def test_parameter_without_a_gradient_is_named_and_nothing_is_stepped(tmp_path):
    runner = build(classifier(tmp_path))
    runner.model.neck.register_parameter('idle', nn.Parameter(torch.ones(3)))
    with pytest.raises(TrainingError, match=r'1 of \d+ trainable parameters got no gradient .*: neck\.idle\. Freeze'):
        runner.train()
    assert runner.optim_wrapper.state_dict()['state'] == {}


def test_gradients_are_audited_when_the_first_step_is_whole_and_zeros_are_told():
    linear = nn.Linear(2, 2)
    told = []
    runner = SimpleNamespace(
        model=linear, optim_wrapper=SimpleNamespace(before_step=[]), logger=SimpleNamespace(info=told.append)
    )
    GradientAuditHook().before_train(runner)
    linear.weight.grad, linear.bias.grad = torch.ones(2, 2), torch.zeros(2)
    runner.optim_wrapper.before_step[0]()
    assert runner.optim_wrapper.before_step == []
    assert told == [
        'gradient audit: all zero in the first step: bias',
        'gradient audit: all 2 trainable tensors got a gradient',
    ]


@pytest.mark.parametrize('make', [burn, moco, classifier])
def test_audit_passes_and_is_logged(make, tmp_path):
    assert 'trainable tensors got a gradient' in log_of(run(make(tmp_path, epochs=1)))


# checkpoints


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.glob('*') if file.is_file()} | {f.name for f in folder.glob('.*')}


def test_so_many_checkpoints_stay_and_pointer_and_link_name_the_newest(tmp_path):
    hook = dict(type='CheckpointHook', interval=2, interval_iters=1, max_keep_ckpts=3)
    run(classifier(tmp_path, epochs=3, default_hooks__checkpoint=hook))
    folder = tmp_path / 'run'
    kept = {'iter_10.pth', 'iter_11.pth', 'epoch_3.pth'}
    assert {name for name in names(folder) if name.endswith('.pth')} == kept | {'latest.pth'}
    assert (folder / 'last_checkpoint').read_text() == 'epoch_3.pth\n'
    assert os.readlink(folder / 'latest.pth') == 'epoch_3.pth'
    meta = read_checkpoint(folder / 'latest.pth')['meta']
    assert (meta['epoch'], meta['iter']) == (3, 12)


def test_epochs_between_two_checkpoints(tmp_path):
    written = []
    runner = build(classifier(tmp_path, epochs=5, default_hooks__checkpoint=dict(type='CheckpointHook', interval=2)))
    write = runner.save_checkpoint
    runner.save_checkpoint = lambda folder, name, **more: (written.append(name), write(folder, name, **more))
    runner.train()
    assert written == ['epoch_2.pth', 'epoch_4.pth', 'epoch_5.pth']


def test_pointer_comes_after_the_file_and_removal_after_the_pointer(tmp_path, monkeypatch):
    """At every moment the pointer names a file that is whole."""
    seen = []
    replace, unlink = os.replace, Path.unlink

    def look() -> None:
        pointer = tmp_path / 'run/last_checkpoint'
        if pointer.exists():
            read_checkpoint(tmp_path / 'run' / pointer.read_text().strip())
            seen.append(pointer.read_text())

    monkeypatch.setattr(os, 'replace', lambda *paths: (look(), replace(*paths), look()))
    monkeypatch.setattr(Path, 'unlink', lambda path, **more: (look(), unlink(path, **more), look()))
    run(classifier(tmp_path, epochs=1, default_hooks__checkpoint=EVERY_STEP))
    assert sorted(set(seen)) == ['epoch_1.pth\n', 'iter_1.pth\n', 'iter_2.pth\n', 'iter_3.pth\n']


@pytest.mark.parametrize('hard_links', [True, False])
def test_best_is_a_second_name_and_stays_when_its_epoch_goes(hard_links, tmp_path, monkeypatch):
    if not hard_links:
        monkeypatch.setattr(os, 'link', lambda *paths: (_ for _ in ()).throw(OSError('not here')))
    hook = dict(type='CheckpointHook', save_best='knn_top1')
    runner = build(classifier(tmp_path, epochs=4, default_hooks__checkpoint=hook, **VALIDATION))
    scores = iter([50.0, 70.0, 70.0, 60.0])
    runner.val_loop.evaluator.evaluate = lambda size: dict(knn_top1=next(scores))
    runner.train()
    folder = tmp_path / 'run'
    best = json.loads((folder / 'best.json').read_text())
    assert best == dict(metric='knn_top1', value=70.0, epoch=2, file='best_knn_top1.pth')
    assert read_checkpoint(folder / 'best_knn_top1.pth')['meta']['epoch'] == 2
    assert not (folder / 'epoch_2.pth').exists()


def test_best_of_an_epoch_without_a_checkpoint_of_its_own_is_written(tmp_path):
    hook = dict(type='CheckpointHook', interval=3, save_best='knn_top1')
    runner = build(classifier(tmp_path, epochs=3, default_hooks__checkpoint=hook, **VALIDATION))
    scores = iter([50.0, 70.0, 60.0])
    runner.val_loop.evaluator.evaluate = lambda size: dict(knn_top1=next(scores))
    runner.train()
    assert read_checkpoint(tmp_path / 'run/best_knn_top1.pth')['meta']['epoch'] == 2


def test_record_of_an_epoch_that_is_trained_again_does_not_count(tmp_path):
    hook = CheckpointHook(save_best='x')
    (tmp_path / 'best.json').write_text(json.dumps(dict(metric='x', value=90.0, epoch=5)))
    at = lambda epoch: SimpleNamespace(work_dir=str(tmp_path), epoch=epoch)
    assert hook._is_best(at(3), 10.0)
    assert not hook._is_best(at(5), 90.0)
    assert hook._is_best(at(6), 91.0)


@pytest.mark.parametrize(
    'record',
    [
        '',
        '[' * 100_000,
        '{"metric": "x", "value": "90", "epoch": 3}',
        '{"metric": "x", "value": 90.0, "epoch": [3]}',
        '{"metric": "x", "value": 90.0, "epoch": -1}',
        '{"metric": "x", "value": 90.0}',
        '{"metric": "x", "value": NaN, "epoch": 3}',
        '{"metric": "x", "value": 1e300, "epoch": 3}',
        '{"metric": "y", "value": 90.0, "epoch": 3}',
    ],
)
def test_a_damaged_record_of_the_best_does_not_count(tmp_path, record):
    (tmp_path / 'best.json').write_text(record)
    assert CheckpointHook(save_best='x')._is_best(SimpleNamespace(work_dir=str(tmp_path), epoch=4), 10.0)


def test_only_what_the_run_wrote_goes(tmp_path):
    (tmp_path / 'run').mkdir()
    (tmp_path / 'mine.pth').write_bytes(b'mine')
    own = ['epoch_5_copy.pth', 'epoch_mine.pth', 'iter_1.pth.bak.pth', 'epoch_01.pth', 'epoch_.pth', 'epoch_400.pth']
    for name in own:
        (tmp_path / 'run' / name).write_bytes(b'mine')
    (tmp_path / 'run/epoch_2.pth').symlink_to(tmp_path / 'mine.pth')
    (tmp_path / 'run/iter_3.pth').mkdir()
    run(classifier(tmp_path, epochs=1, default_hooks__checkpoint=dict(EVERY_STEP, interval_iters=2)))
    for name in own:
        assert (tmp_path / 'run' / name).read_bytes() == b'mine'
    assert (tmp_path / 'run/iter_3.pth').is_dir()
    assert (tmp_path / 'run/epoch_2.pth').is_symlink()


@pytest.mark.parametrize('links', [(), ('symlink',), ('symlink', 'link')])
def test_without_links_the_pointer_and_the_newest_are_there(tmp_path, monkeypatch, links):
    for name in links:
        monkeypatch.setattr(os, name, lambda *paths, **more: (_ for _ in ()).throw(OSError('not here')))
    run(classifier(tmp_path, epochs=2))
    assert (tmp_path / 'run/last_checkpoint').read_text() == 'epoch_2.pth\n'
    assert read_checkpoint(tmp_path / 'run/latest.pth')['meta']['epoch'] == 2


def test_temporary_file_of_a_killed_writer_goes_with_the_next_writing(tmp_path):
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run/.epoch_1.pth.4242.tmp').write_bytes(b'half a checkpoint')
    run(classifier(tmp_path, epochs=1))
    assert not list((tmp_path / 'run').glob('.*'))


@pytest.mark.parametrize(
    ('keys', 'words'),
    [
        (dict(max_keep_ckpts=1), 'at least 2'),
        (dict(interval=0), 'interval 0'),
        (dict(interval_iters=0), 'interval_iters 0'),
    ],
)
def test_checkpoint_intervals_that_make_no_sense(keys, words):
    with pytest.raises(ConfigError, match=words):
        CheckpointHook(**keys)


def test_checkpoint_within_a_step_is_refused(tmp_path):
    with pytest.raises(ConfigError, match='interval_iters 3 must be a multiple of the accumulation 2'):
        run(
            classifier(
                tmp_path,
                batch=128,
                global_batch_size=256,
                default_hooks__checkpoint=dict(type='CheckpointHook', interval_iters=3),
            )
        )


def test_best_by_a_metric_that_validation_does_not_give(tmp_path):
    hook = dict(type='CheckpointHook', save_best='top1')
    with pytest.raises(ConfigError, match=r"save_best='top1', but validation gives \['knn_top1'\]"):
        run(classifier(tmp_path, epochs=1, default_hooks__checkpoint=hook, **VALIDATION))


# words


def test_information_warns_once_each_time_it_falls():
    warned = []
    runner = SimpleNamespace(logger=SimpleNamespace(warning=warned.append))
    hook = InformationHook(least_nats=0.1)
    for information in (0.5, 0.09, 0.05, 0.3, 0.01):
        hook.after_report(runner, dict(information=information))
    hook.after_report(runner, dict(loss=1.0))
    assert len(warned) == 2
    assert '0.090 nat' in warned[0]
    assert 'train_target_head=False' in warned[0]


def scalars(runner) -> list[dict]:
    """What the run's own record of scalars holds, one dict a line."""
    (file,) = Path(runner.work_dir).glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_report_is_the_mean_of_its_iterations_and_the_last_one_is_always_there(tmp_path):
    watch = Watch()
    runner = run(classifier(tmp_path, default_hooks__progress=dict(type='ProgressHook', interval=3)), watch)
    reports = scalars(runner)
    assert [report['step'] for report in reports] == [3, 6, 8]
    means = [sum(watch.losses[part]) / len(watch.losses[part]) for part in (slice(3), slice(3, 6), slice(6, 8))]
    assert [report['loss'] for report in reports] == pytest.approx(means, rel=1e-6)
    assert {'lr', 'seconds', 'data_seconds', 'epoch', 'top1'} <= set(reports[0])


def test_report_starts_anew_after_a_resume_in_the_middle(tmp_path):
    cfg = dict(default_hooks=dict(progress=dict(type='ProgressHook', interval=4), checkpoint=EVERY_STEP))
    run_until(classifier(tmp_path, **cfg), 6)
    watch = Watch()
    runner = run(classifier(tmp_path, resume='auto', **cfg), watch)
    files = sorted(Path(runner.work_dir).glob('*/vis_data/scalars.json'))
    report = json.loads(files[-1].read_text().splitlines()[-1])
    assert (report['step'], len(watch.losses)) == (8, 2)
    assert report['loss'] == pytest.approx(sum(watch.losses) / 2, rel=1e-6)


def test_clipped_gradients_report_their_norm_and_annealed_values_are_there(tmp_path):
    runner = run(burn(tmp_path, epochs=1, optim_wrapper__clip_grad=dict(max_norm=0.5)))
    last = scalars(runner)[-1]
    assert last['grad_norm'] > 0
    assert last['kl_weight'] == pytest.approx(0.1 + 0.2 * (1 - torch.cos(torch.tensor(3 / 4 * torch.pi)).item()) / 2)


def test_nothing_grows_with_the_run(tmp_path):
    """mmengine's message hub keeps every value it is given; training gives it none."""
    runner = run(burn(tmp_path, **VALIDATION))
    assert runner.message_hub.log_scalars == {}


def test_tensorboard_gets_the_scalars(tmp_path):
    events = pytest.importorskip('tensorboard.backend.event_processing.event_accumulator')
    visualizer = dict(type='Visualizer', vis_backends=[dict(type='TensorboardVisBackend')])
    runner = run(classifier(tmp_path, epochs=1, visualizer=visualizer))
    runner.visualizer.close()
    (folder,) = {file.parent for file in Path(runner.work_dir).rglob('events.out.tfevents*')}
    record = events.EventAccumulator(str(folder)).Reload()
    assert [event.step for event in record.Scalars('loss')] == [2, 4]
    assert {'lr', 'top1'} <= set(record.Tags()['scalars'])
