"""Several batches to an optimiser step."""

from __future__ import annotations

import pytest
import torch
from contracts.small import changed
from engine.runs import Watch, build, burn, classifier, everything, moco, run
from mmengine.config import Config
from torch.utils.data import DataLoader

from binssl.engine.loops import accumulation, batch_per_process, whole_steps
from binssl.registry import ConfigError


@pytest.mark.parametrize(('wanted', 'processes', 'counts'), [(256, 1, 4), (256, 2, 2), (256, 4, 1), (None, 2, 3)])
def test_global_batch_decides_on_the_batches_of_a_step(wanted, processes, counts, tmp_path):
    cfg = classifier(tmp_path, batch=64, optim_wrapper__accumulative_counts=3, global_batch_size=wanted)
    assert accumulation(cfg, processes) == counts


def test_global_batch_that_the_processes_do_not_divide_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r'global_batch_size 99 must be a multiple of .* 64 x 2 process'):
        accumulation(classifier(tmp_path, batch=64, global_batch_size=99), 2)


@pytest.mark.parametrize(
    ('wanted', 'processes', 'batch'),
    [(64, 1, 64), (64, 2, 32), (96, 2, 48), (128, 2, 64), (256, 2, 64), (None, 2, 64), (32, 2, 64)],
)
def test_a_batch_that_one_process_takes_is_shared_out_by_several(wanted, processes, batch, tmp_path):
    assert batch_per_process(classifier(tmp_path, batch=64, global_batch_size=wanted), processes) == batch


def test_epoch_has_whole_steps_only(tmp_path):
    watch = Watch()
    runner = run(classifier(tmp_path, batch=128, optim_wrapper__accumulative_counts=3), watch)
    assert runner.train_loop.epoch_length == 6  # of eight batches
    assert watch.iterations == list(range(12))
    steps = runner.optim_wrapper.state_dict()['state'][0]['step']
    assert steps == 4


def test_step_of_more_batches_than_an_epoch_has_is_an_error(tmp_path):
    words = (
        r'^1149 training images make 4 batch\(es\) .*batch_size 256 x 1 process.* step takes 5 '
        r'\(optim_wrapper\.accumulative_counts 5\): lower optim_wrapper\.accumulative_counts to 4, or train_'
    )
    with pytest.raises(ConfigError, match=words):
        run(classifier(tmp_path, optim_wrapper__accumulative_counts=5))


@pytest.mark.parametrize('counts', [0, 1.5, '2'])
def test_accumulation_is_a_whole_number(counts, tmp_path):
    with pytest.raises(ConfigError, match=r'accumulative_counts is .*; it must be a whole number of at least 1'):
        run(classifier(tmp_path, optim_wrapper__accumulative_counts=counts))


@pytest.mark.parametrize(
    ('images', 'processes', 'drop_last', 'iterations'),
    [
        (640, 1, True, 8),
        (703, 1, True, 8),
        (705, 1, False, 12),
        (193, 1, False, 4),
        (512, 2, True, 4),
        (769, 2, False, 6),
    ],
)
def test_iterations_are_those_of_the_loader(images, processes, drop_last, iterations, tmp_path):
    """64 a batch, 256 a step, so 4 batches of one process or 2 of each of two."""
    cfg = classifier(tmp_path, batch=64, global_batch_size=256)
    cfg.train_dataloader.drop_last = drop_last
    batches = len(DataLoader(range(-(-images // processes)), batch_size=64, drop_last=drop_last))
    counts = 4 // processes
    assert whole_steps(cfg, images, processes) == iterations == batches // counts * counts


@pytest.mark.parametrize(
    ('images', 'processes', 'remedy', 'changes'),
    [
        (100, 1, 'global_batch_size to 64', dict(global_batch_size=64)),
        (200, 2, 'global_batch_size to 128', dict(global_batch_size=128)),
        (
            50,
            1,
            'train_dataloader.batch_size to at most 50 and global_batch_size to 50',
            dict(global_batch_size=50, train_dataloader__batch_size=50),
        ),
    ],
)
def test_images_that_fill_no_step_are_told_with_what_fits_them(images, processes, remedy, changes, tmp_path):
    cfg = classifier(tmp_path, batch=64, global_batch_size=256)
    words = rf'^{images} training images .* 64 x {processes} process.*\(global_batch_size 256\): lower {remedy}$'
    with pytest.raises(ConfigError, match=words):
        whole_steps(cfg, images, processes)
    assert whole_steps(Config(changed(cfg.to_dict(), **changes)), images, processes) == 1


@pytest.mark.parametrize('counts', [1, 2])
def test_momentum_teacher_follows_once_a_step(counts, tmp_path):
    runner = build(moco(tmp_path, optim_wrapper__accumulative_counts=counts, schedules={}))
    updates = []
    follow = runner.model.teacher.update
    runner.model.teacher.update = lambda: (updates.append(runner.iter + 1), follow())
    runner.train()
    assert updates == list(range(counts, 9, counts))


def test_teacher_is_the_average_of_the_students_after_each_step(tmp_path):
    """theta_k <- m theta_k + (1 - m) theta_q, replayed from the students that were seen."""
    students = []
    runner = build(moco(tmp_path, schedules={}))
    name = next(name for name, _ in runner.model.named_parameters() if name.startswith('backbone'))
    start = runner.model.state_dict()[name].clone()
    runner.register_hook(Watch(lambda runner: students.append(runner.model.state_dict()[name].clone())))
    runner.train()
    expected = start
    for student in students:
        expected = 0.9 * expected + 0.1 * student
    torch.testing.assert_close(runner.model.state_dict()[f'teacher.{name}'], expected)


def test_two_halves_accumulated_are_the_whole_batch(tmp_path):
    """Without BatchNorm's batch statistics (eval mode) the mean of two halves' gradients is the whole's."""

    def weights(batch: int, **more) -> dict[str, torch.Tensor]:
        cfg = classifier(tmp_path / str(batch), batch=batch, epochs=1, schedules={}, **more)
        cfg.train_dataloader.sampler.shuffle = False
        cfg.optim_wrapper.optimizer = dict(type='SGD', lr=0.1, momentum=0.9)
        runner = build(cfg)
        runner.model.double().eval()
        runner.model.train = lambda mode=True: runner.model  # the loop would switch it back
        runner.train()
        return everything(runner)

    whole, halves = weights(256), weights(128, optim_wrapper__accumulative_counts=2)
    for name, tensor in whole.items():
        torch.testing.assert_close(halves[name], tensor, rtol=1e-10, atol=1e-12, msg=name)


def test_burn_accumulates_too(tmp_path):
    runner = run(burn(tmp_path, epochs=1, batch=128, global_batch_size=512))
    assert (runner.accumulative_counts, runner.iter) == (4, 8)
