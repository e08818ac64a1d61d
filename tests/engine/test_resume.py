"""A run that was stopped and resumed is the run that was not: weights, buffers, optimiser, bit for bit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from engine.runs import VALIDATION, assert_same, build, burn, classifier, everything, log_of, moco, run, run_until

from binssl.checkpoints import CheckpointError, read_checkpoint, write_checkpoint
from binssl.engine.experiment import experiment
from binssl.engine.preflight import problems_of

EVERY_STEP = dict(type='CheckpointHook', interval_iters=2)


def assert_resumed_is_undisturbed(make, folder: Path, stops: tuple[int, ...], **more) -> None:
    """Two epochs of eight iterations, four optimiser steps each; stopped after each of ``stops``."""
    settings = dict(batch=128, global_batch_size=256, default_hooks__checkpoint=EVERY_STEP, **more)
    whole = run(make(folder / 'whole', **settings))
    for stop in stops:
        run_until(make(folder / 'parts', resume='auto', **settings), stop)
    resumed = run(make(folder / 'parts', resume='auto', **settings))
    assert resumed.iter == whole.iter == 16
    assert_same(everything(whole), everything(resumed))


def in_this_folder(make):
    """Both runs read the same teacher file: the config records its path."""
    return lambda folder, **more: make(folder.parent, **{**more, 'work_dir': str(folder)})


@pytest.mark.parametrize('make', [burn, moco], ids=['burn', 'moco'])
def test_resume_in_the_middle_of_an_epoch_and_of_an_accumulation_changes_nothing(make, tmp_path):
    assert_resumed_is_undisturbed(in_this_folder(make), tmp_path, stops=(3, 6, 8, 13))


def test_resume_with_validation_and_best_in_between_changes_nothing(tmp_path):
    best = dict(EVERY_STEP, save_best='knn_top1')
    assert_resumed_is_undisturbed(
        in_this_folder(lambda folder, **more: burn(folder, **{**more, 'default_hooks__checkpoint': best})),
        tmp_path,
        stops=(9,),
        **VALIDATION,
    )
    whole, parts = (json.loads((tmp_path / name / 'best.json').read_text()) for name in ('whole', 'parts'))
    assert whole == parts


def test_run_that_stopped_while_validating_validates_again(tmp_path):
    settings = dict(**VALIDATION, default_hooks__checkpoint=dict(type='CheckpointHook', save_best='knn_top1'))
    runner = build(classifier(tmp_path, **settings))
    runner.val_loop.run = lambda: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    assert not (tmp_path / 'run/best.json').exists()
    resumed = build(classifier(tmp_path, resume='auto', **settings))
    validated = []
    run_validation = resumed.val_loop.run
    resumed.val_loop.run = lambda: (validated.append(resumed.epoch), run_validation())
    resumed.train()
    assert validated == [1, 2]


def test_checkpoint_records_threads_and_resume_under_others_warns(tmp_path):
    run_until(classifier(tmp_path, default_hooks__checkpoint=EVERY_STEP), 3)
    path = tmp_path / 'run/iter_2.pth'
    content = read_checkpoint(path)
    assert content['meta']['threads'] == torch.get_num_threads()
    content['meta']['threads'] += 6
    write_checkpoint(content, path)
    resumed = run(classifier(tmp_path, resume='auto'))
    assert f'written with {content["meta"]["threads"]} CPU threads' in log_of(resumed)
    assert 'OMP_NUM_THREADS' in log_of(resumed)


def refused(cfg) -> str:
    with pytest.raises(CheckpointError) as caught:
        run(cfg)
    return str(caught.value)


def test_resume_of_another_experiment_names_what_differs(tmp_path):
    run_until(burn(tmp_path, default_hooks__checkpoint=EVERY_STEP), 3)
    other = burn(tmp_path, resume='auto', optim_wrapper__optimizer__lr=0.5, model__head__temperature=0.7)
    message = refused(other)
    assert 'optim_wrapper.optimizer.lr: 0.002 there, 0.5 here' in message
    assert 'model.head.temperature: None there, 0.7 here' in message
    assert 'schedules' not in message


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (dict(randomness=dict(seed=3)), 'randomness.seed'),
        (dict(resume='run/weights.pth'), 'holds weights, not the state of a training run'),
        (dict(resume='run/torn.pth'), 'truncated'),
        (dict(resume='run/nothing.pth'), 'there is no checkpoint'),
    ],
)
def test_resume_from_what_is_no_checkpoint_of_this_run_is_refused(changes, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_until(classifier(tmp_path, default_hooks__checkpoint=EVERY_STEP), 3)
    content = read_checkpoint('run/iter_2.pth')
    write_checkpoint({key: content[key] for key in ('format_version', 'state_dict')}, 'run/weights.pth')
    whole = Path('run/iter_2.pth').read_bytes()
    Path('run/torn.pth').write_bytes(whole[: len(whole) // 2])
    assert words in refused(classifier(tmp_path, **{'resume': 'auto', **changes}))


def test_resume_with_another_teacher_file_is_refused(tmp_path):
    run_until(burn(tmp_path, default_hooks__checkpoint=EVERY_STEP), 3)
    teacher = read_checkpoint(tmp_path / 'teacher.pth')
    write_checkpoint(dict(teacher, meta=dict(another=True)), tmp_path / 'teacher.pth')
    assert 'another teacher file' in refused(burn(tmp_path, resume='auto'))


def test_pointer_to_a_file_that_is_gone_is_an_error_and_not_a_new_start(tmp_path):
    run_until(classifier(tmp_path, default_hooks__checkpoint=EVERY_STEP), 3)
    (tmp_path / 'run/iter_2.pth').unlink()
    assert 'iter_2.pth, which is not in that folder' in refused(classifier(tmp_path, resume='auto'))


@pytest.mark.parametrize(('stop', 'newest'), [(3, 'iter_2.pth'), (5, 'epoch_1.pth'), (7, 'iter_6.pth')])
@pytest.mark.parametrize('pointer', [None, '', '\n'])
def test_without_its_pointer_a_run_goes_on_from_the_file_of_most_iterations(stop, newest, pointer, tmp_path):
    settings = dict(default_hooks__checkpoint=dict(EVERY_STEP, max_keep_ckpts=9))
    run_until(classifier(tmp_path, **settings), stop)
    for name in ('epoch_best.pth', 'epoch_1_copy.pth', 'iter_99.pth.tmp'):
        (tmp_path / 'run' / name).write_text("a person's own")
    file = tmp_path / 'run/last_checkpoint'
    file.unlink() if pointer is None else file.write_text(pointer)
    resumed = run(classifier(tmp_path, resume='auto', **settings))
    assert f'resumed from {tmp_path / "run" / newest}' in log_of(resumed)


def test_best_checkpoints_alone_are_not_written_over(tmp_path):
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run/best_top1.pth').write_text('the best')
    assert 'none of its other checkpoints: name what to go on from' in refused(classifier(tmp_path, resume='auto'))


def test_a_folder_with_checkpoints_and_no_pointer_is_not_started_in(tmp_path):
    run_until(classifier(tmp_path, default_hooks__checkpoint=EVERY_STEP), 3)
    (tmp_path / 'run/last_checkpoint').unlink()
    assert [told for told in problems_of(classifier(tmp_path)) if 'already holds a run' in told]


def test_epoch_of_other_length_is_recounted_at_an_epochs_end_only(tmp_path):
    run(classifier(tmp_path, epochs=1, default_hooks__checkpoint=EVERY_STEP))
    path = tmp_path / 'run/epoch_1.pth'
    content = read_checkpoint(path)
    content['meta'].update(epoch_length=2, iter=2, world_size=2)  # as two processes would have written it
    write_checkpoint(content, path)
    assert run(classifier(tmp_path, epochs=1, resume='auto')).iter == 4
    content['meta'].update(iter=1, epoch=0)
    write_checkpoint(content, path)
    assert 'Resume with 2 process(es)' in refused(classifier(tmp_path, epochs=1, resume='auto'))


def test_processes_may_share_a_step_otherwise_but_a_step_stays_the_same(tmp_path):
    one, two = (burn(tmp_path, global_batch_size=512, optim_wrapper__accumulative_counts=n) for n in (4, 2))
    assert experiment(one) == experiment(two)
    one, two = (burn(tmp_path, optim_wrapper__accumulative_counts=n) for n in (4, 2))
    assert experiment(one) != experiment(two)
