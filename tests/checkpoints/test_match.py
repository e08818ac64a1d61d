"""Everything fits or nothing is loaded, and the table says why."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from binssl.checkpoints import CheckpointError, load_weights, select_part


def model(width: int = 3) -> nn.Module:
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width))
    return nn.ModuleDict({'backbone': trunk, 'head': nn.Linear(width, 2)})


def weights(width: int = 3) -> dict[str, torch.Tensor]:
    return {key: torch.full_like(value, 5) for key, value in model(width).state_dict().items()}


def mismatch(network: nn.Module, state_dict: dict, **options) -> str:
    before = copy.deepcopy(network.state_dict())
    with pytest.raises(CheckpointError) as caught:
        load_weights(network, state_dict, **options)
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    return str(caught.value)


def test_every_tensor_is_loaded():
    network = model()
    report = load_weights(network, weights())
    assert all((value == 5).all() for value in network.state_dict().values())
    assert len(report.loaded) == 9
    assert str(report) == '9 tensors loaded'


def test_missing_and_unexpected_keys_are_listed_with_their_shapes():
    given = weights()
    given['neck.weight'] = given.pop('head.weight')
    message = mismatch(model(), given)
    assert '8 of its 9 tensors match' in message
    assert 'missing (1):\n    head.weight (2, 3)' in message
    assert 'unexpected (1):\n    neck.weight (2, 3)' in message


def test_a_file_without_a_trunk_is_told_in_a_sentence():
    head = {key: value for key, value in weights().items() if key.startswith('head.')}
    message = mismatch(model(), head)
    assert message.startswith('the file holds no trunk: of the model only head, nothing of its backbone; take')
    assert '\n' not in message


def test_other_shapes_are_listed_with_both():
    message = mismatch(model(), weights(width=4))
    assert 'other shape (7):' in message
    assert 'backbone.0.weight (4, 2), needed (3, 2)' in message


def test_long_tables_end_in_a_count():
    network = nn.Sequential(*[nn.Linear(1, 1) for _ in range(20)])
    message = mismatch(network, {'other': torch.zeros(1)})
    assert message.count('.weight') + message.count('.bias') == 15
    assert '... and 25 more' in message


@pytest.mark.parametrize('prefix', ['module.', 'module.encoder_q.'])
def test_a_prefix_in_the_file_is_named(prefix):
    message = mismatch(model(), {prefix + key: value for key, value in weights().items()})
    assert f"hint: the file's keys start with '{prefix}'" in message


def test_a_prefix_in_the_model_is_named():
    message = mismatch(nn.ModuleDict({'student': model()}), weights())
    assert "hint: the model's keys start with 'student.'" in message


def test_no_hint_where_names_differ_altogether():
    assert 'hint' not in mismatch(model(), {'a.b.weight': torch.zeros(1)})


def test_parts_that_may_miss_keep_their_values():
    network = model()
    before = network['head'].weight.clone()
    given = {key: value for key, value in weights().items() if not key.startswith('head')}
    report = load_weights(network, given, may_miss=['head'])
    assert torch.equal(network['head'].weight, before)
    assert (network['backbone'][0].weight == 5).all()
    assert report.missed == ('head.weight', 'head.bias')


def test_a_part_that_may_miss_must_fit_where_it_is_there():
    given = weights()
    given['head.weight'] = torch.zeros(7, 3)
    assert 'head.weight (7, 3), needed (2, 3)' in mismatch(model(), given, may_miss=['head'])


def test_ignored_parts_are_not_loaded_and_still_missed():
    network = model()
    report = load_weights(network, {**weights(), 'queue': torch.zeros(9)}, ignore=['queue'])
    assert report.ignored == ('queue',)
    assert 'missing (2)' in mismatch(model(), weights(), ignore=['head'])


def test_a_part_is_not_a_mere_beginning_of_a_name():
    given = {**weights(), 'header.x': torch.zeros(1)}
    assert 'unexpected (1)' in mismatch(model(), given, ignore=['head.', 'queue'], may_miss=['head'])


def test_an_empty_state_dict_is_an_error_even_where_all_may_miss():
    assert 'empty' in mismatch(model(), {}, may_miss=['backbone', 'head'])


def test_select_part_strips_the_prefix():
    given = {'module.encoder_q.conv1.weight': torch.ones(1), 'module.queue': torch.zeros(1)}
    assert select_part(given, 'module.encoder_q.') == {'conv1.weight': torch.ones(1)}


def test_weights_that_are_not_finite_are_named_and_nothing_is_loaded():
    model = nn.Linear(2, 2)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    state['weight'][0, 1] = float('nan')
    before = model.weight.detach().clone()
    with pytest.raises(CheckpointError, match='weight of the weights hold values that are not finite'):
        load_weights(model, state)
    assert torch.equal(model.weight, before)
