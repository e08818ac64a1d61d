"""A schedule keeps what parameter groups have of their own, and the bounds of what it moves."""

import pytest
from engine.runs import build, burn, classifier, log_of, moco, run

from binssl.hooks import Schedule
from binssl.registry import ConfigError


def test_start_of_the_rate_is_refused_since_it_would_level_the_groups() -> None:
    with pytest.raises(ConfigError, match='each group starts from its own rate'):
        Schedule(target='lr', start=0.1, end=0.0)


def test_groups_keep_their_ratio() -> None:
    schedule = Schedule(target='lr', curve='linear', end=0.0)
    values = [schedule.value(base, iteration=30, epoch_length=10, max_epochs=12) for base in (0.4, 0.04)]
    assert values == pytest.approx([0.3, 0.03])


@pytest.mark.parametrize(
    ('make', 'schedule', 'words'),
    [
        (moco, dict(target='teacher.momentum', start=0.9, end=1.5), r'momentum 1.5 of MomentumTeacher must lie in'),
        (
            moco,
            dict(target='head.temperature', start=0.2, end=0.0),
            'temperature 0.0 of ContrastiveHead must be above 0',
        ),
        (burn, dict(target='head.kl_weight', start=-0.1, end=0.3), 'kl_weight -0.1 of BURNHead'),
    ],
)
def test_schedule_that_leaves_the_bounds_is_refused_before_training(make, schedule, words, tmp_path) -> None:
    with pytest.raises(ConfigError, match=words):
        run(make(tmp_path, schedules=dict(own=schedule)))


def test_warm_up_that_never_ends_is_told(tmp_path) -> None:
    runner = build(classifier(tmp_path, epochs=1, schedules=dict(lr=dict(target='lr', end=0.0, warmup_epochs=3))))
    runner.train()
    assert "warm-up of 'lr' takes 3 epochs and the training 1" in log_of(runner)


def test_milestones_that_are_not_reached_are_told(tmp_path) -> None:
    step = dict(target='lr', curve='step', milestones=[1, 2])
    runner = build(classifier(tmp_path, epochs=2, schedules=dict(lr=step)))
    runner.train()
    assert "'lr' has milestones [1, 2], and the training 2 epochs: not all of them are reached" in log_of(runner)
