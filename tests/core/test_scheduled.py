"""Numbers that a schedule may move keep their bounds."""

from __future__ import annotations

import math

import pytest
from torch import nn

from binssl.core.scheduled import Scheduled
from binssl.registry import ConfigError


@pytest.fixture
def module() -> nn.Module:
    module = Scheduled()
    module.keep_scheduled('weight', 0.5, 0, 1)
    module.keep_scheduled('temperature', 0.2, 0, math.inf, open_low=True)
    return module


@pytest.mark.parametrize(
    ('name', 'value'), [('weight', 0), ('weight', 1), ('temperature', 1e-9), ('temperature', 1e9), ('other', -5)]
)
def test_a_value_within_bounds_or_of_something_without_them_is_taken(module, name, value):
    module.check_scheduled(name, value)
    assert (module.weight, module.temperature) == (0.5, 0.2), 'asking changes nothing'


@pytest.mark.parametrize(
    ('name', 'value', 'rule'),
    [
        ('weight', -0.1, 'at least 0 and at most 1'),
        ('weight', 1.5, 'at least 0 and at most 1'),
        ('weight', math.nan, 'at least 0 and at most 1'),
        ('temperature', 0, 'above 0 and at most inf'),
    ],
)
def test_another_is_refused_by_the_words_of_the_constructor(module, name, value, rule):
    with pytest.raises(ConfigError, match=f'{name} {value} of Scheduled must be {rule}') as later:
        module.check_scheduled(name, value)
    with pytest.raises(ConfigError) as at_once:
        Scheduled().keep_scheduled(name, value, *module.scheduled_bounds[name])
    assert str(later.value) == str(at_once.value)


def test_neither_number_nor_bounds_are_in_a_checkpoint(module):
    assert not module.state_dict()
