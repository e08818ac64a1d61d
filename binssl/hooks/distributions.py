"""Watch on distillation: the entropy of what student and teacher say of the classes."""

from __future__ import annotations

import math
from typing import Any

from binssl.core.processes import unwrap
from binssl.hooks.watch import WarningHook
from binssl.registry import HOOKS, ConfigError


@HOOKS.register_module()
class DistributionHook(WarningHook):
    """Reads ``kl``, ``teacher_entropy`` and ``student_entropy`` in the reports of losses that give all three.

    In nats, with C classes: ln C - ``teacher_entropy`` is what the teacher's answers say beyond the even distribution,
    and also the KL divergence of a student that answers evenly to everything. Reports come from ProgressHook; this one
    adds no number of its own and costs nothing. It judges after the first epoch and a tenth of the training.

    Args:
        least_nats: warn where the teacher, or the student, says less than this.
        least_entropy: warn where the teacher's entropy is smaller: it names one class, whatever the others are like.
        most_kl: warn where the divergence is so many times that of even answers. A student whose answers are as sharp
            as the teacher's, but about something else, comes to about 2: contrastive learning does not begin nearer.

    Raises:
        ConfigError: a threshold that is no number of at least 0.
    """

    def __init__(self, least_nats: float = 0.005, least_entropy: float = 0.01, most_kl: float = 3.0) -> None:
        super().__init__()
        for name, value in dict(least_nats=least_nats, least_entropy=least_entropy, most_kl=most_kl).items():
            if not value >= 0:
                raise ConfigError(f'{name} is {value!r}; it must be a number of at least 0')
        self.least_nats, self.least_entropy, self.most_kl = least_nats, least_entropy, most_kl

    def after_report(self, runner: Any, values: dict[str, float]) -> None:
        names = ('kl', 'teacher_entropy', 'student_entropy')
        classes = getattr(getattr(unwrap(runner.model), 'head', None), 'out_channels', None)
        early = runner.epoch < 1 or 10 * runner.iter <= runner.max_iters  # the student's first answers are no sign
        if early or not classes or not all(math.isfinite(values.get(name, math.nan)) for name in names):
            return
        kl, teacher, student = (values[name] for name in names)
        told = math.log(classes) - teacher
        self._judge_teacher(runner, teacher, told)
        self.judge(
            runner,
            'student says nothing',
            math.log(classes) - student < self.least_nats <= told,
            f"the student's answers are nearly even over the {classes} classes (entropy {student:.3f} of at most "
            f'{math.log(classes):.3f} nat): it tells no image from another. Try a lower student_temperature, or look '
            'at feature_spread for a collapse',
        )
        self.judge(
            runner,
            'worse than nothing',
            kl > self.most_kl * told and told >= self.least_nats,
            f'the student is farther from the teacher (KL {kl:.3f} nat) than even answers would be ({told:.3f}), more '
            f'than {self.most_kl:g} times: it is sure of what the teacher does not say. Try a lower learning rate or a '
            'longer warm-up, the same student_temperature as teacher_temperature, a larger distillation_weight',
        )

    def _judge_teacher(self, runner: Any, entropy: float, told: float) -> None:
        self.judge(
            runner,
            'teacher says nothing',
            told < self.least_nats,
            f"the teacher's answers are nearly even over all classes (within {told:.4f} nat, below "
            f'{self.least_nats}): there is nothing to learn from them. Try a lower teacher_temperature, and see that '
            'its checkpoint and the normalisation of its images are the right ones',
        )
        self.judge(
            runner,
            'teacher is sure',
            entropy < self.least_entropy,
            f"the teacher's answers name a single class (entropy {entropy:.4f} nat, below {self.least_entropy}): what "
            'it knows of the other classes is lost. Try a higher teacher_temperature',
        )
