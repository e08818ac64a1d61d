"""A schedule of the learning rate keeps what parameter groups have of their own."""

import pytest

from binssl.hooks import Schedule
from binssl.registry import ConfigError


def test_start_of_the_rate_is_refused_since_it_would_level_the_groups() -> None:
    with pytest.raises(ConfigError, match='each group starts from its own rate'):
        Schedule(target='lr', start=0.1, end=0.0)


def test_groups_keep_their_ratio() -> None:
    schedule = Schedule(target='lr', curve='linear', end=0.0)
    values = [schedule.value(base, iteration=30, epoch_length=10, max_epochs=12) for base in (0.4, 0.04)]
    assert values == pytest.approx([0.3, 0.03])
