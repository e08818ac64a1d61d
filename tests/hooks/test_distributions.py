"""Sentences over reports that are made by hand; the closed forms are those of an even answer to C classes."""

from __future__ import annotations

import math

import pytest
from hooks.stand_in import StandIn
from torch import nn

from binssl.hooks import DistributionHook
from binssl.registry import HOOKS, ConfigError

CLASSES = 16
EVEN = math.log(CLASSES)
WELL = dict(kl=0.2, teacher_entropy=EVEN - 1, student_entropy=EVEN - 0.9)


def runner(
    iteration: int = 5000, max_iters: int = 10_000, epoch_length: int = 10, head: nn.Module | None = None
) -> StandIn:
    """A run in which ``iteration`` trains now, with a head of ``CLASSES``."""
    model = nn.Module()
    model.head = head or nn.Conv2d(1, CLASSES, 1)  # any module with out_channels
    made = StandIn(model, epoch_length=epoch_length)
    made.iter, made.max_iters = iteration, max_iters
    return made


def told(*reports: dict, **settings: float) -> list[str]:
    """The warnings after ``reports``."""
    made, hook = runner(), DistributionHook(**settings)
    for report in reports:
        hook.after_report(made, dict(WELL, **report))
    return made.warnings


def test_healthy_answers_are_passed_over():
    assert told({}, dict(kl=2.99), dict(student_entropy=0.5), dict(teacher_entropy=0.02)) == []


def test_teacher_that_answers_evenly():
    (words,) = told(dict(teacher_entropy=EVEN - 0.004, kl=0.1))
    assert "the teacher's answers are nearly even over all classes (within 0.0040 nat, below 0.005)" in words
    assert 'lower teacher_temperature' in words


def test_teacher_that_names_one_class():
    (words,) = told(dict(teacher_entropy=0.009))
    assert "the teacher's answers name a single class (entropy 0.0090 nat, below 0.01)" in words
    assert 'higher teacher_temperature' in words


def test_student_that_answers_evenly():
    (words,) = told(dict(student_entropy=EVEN - 0.004, kl=1.0))
    assert f'nearly even over the 16 classes (entropy {EVEN - 0.004:.3f} of at most {EVEN:.3f} nat)' in words
    assert 'lower student_temperature' in words


def test_student_that_is_worse_than_an_even_answer():
    (words,) = told(dict(kl=3.01))
    assert '(KL 3.010 nat) than even answers would be (1.000), more than 3 times' in words
    assert 'sure of what the teacher does not say' in words


def test_student_of_a_teacher_that_says_nothing_is_not_blamed():
    (words,) = told(dict(teacher_entropy=EVEN, student_entropy=EVEN, kl=0.5))
    assert 'teacher' in words


def test_each_is_said_once_until_it_is_well():
    worse = dict(kl=4.0)
    assert len(told(worse, worse, {}, worse)) == 2
    assert len(told(worse, worse, dict(worse, teacher_entropy=0.001, kl=9.0))) == 2  # of the teacher too


def test_thresholds_are_the_configs():
    assert told(dict(teacher_entropy=EVEN - 0.004, kl=0.003), least_nats=0.003) == []
    assert told(dict(kl=4.9), most_kl=5) == []
    assert len(told(dict(kl=1.1), most_kl=1)) == 1
    assert told(dict(teacher_entropy=0.0), least_entropy=0) == []


@pytest.mark.parametrize(
    ('iteration', 'epoch_length', 'speaks'),
    [(8, 10, False), (1000, 10, False), (1001, 10, True), (5999, 6000, False), (6000, 6000, True)],
)
def test_first_tenth_of_the_training_and_the_first_epoch_are_passed_over(iteration, epoch_length, speaks):
    made = runner(iteration, epoch_length=epoch_length)
    DistributionHook().after_report(made, dict(WELL, kl=9.0))
    assert bool(made.warnings) == speaks


@pytest.mark.parametrize('missing', list(WELL))
def test_losses_that_lack_a_number_are_not_judged(missing):
    report = {name: value for name, value in dict(WELL, kl=9.0, teacher_entropy=EVEN).items() if name != missing}
    made = runner()
    DistributionHook().after_report(made, report)
    DistributionHook().after_report(made, dict(report, **{missing: math.nan}))
    assert made.warnings == []


def test_head_without_classes_is_not_judged():
    made = runner(head=nn.Identity())
    DistributionHook().after_report(made, dict(WELL, kl=9.0))
    assert made.warnings == []


@pytest.mark.parametrize(
    'setting', [dict(least_nats=-0.1), dict(least_entropy='none'), dict(most_kl=-1), dict(least_nats=math.nan)]
)
def test_bad_settings_are_named(setting):
    ((name, value),) = setting.items()
    with pytest.raises(ConfigError, match=f'{name} is {value!r}; it must be '):
        HOOKS.build(dict(type='DistributionHook', **setting))
