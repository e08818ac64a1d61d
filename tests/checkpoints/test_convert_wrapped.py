"""Published weights as people have them: behind the prefixes of wrappers, of old torch, in whole programs."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from torchvision.models import resnet18

from binssl.checkpoints import CheckpointError, find_state_dict, published_trunk, published_weights, read_checkpoint
from binssl.checkpoints.convert import _assumed

NET = {key: torch.full(value.shape, 1.0) for key, value in resnet18().state_dict().items()}
PREFIXES = ('_orig_mod.', 'module.', 'model.', 'backbone.')


@pytest.mark.parametrize(
    'prefix', [''.join(order) for count in range(4) for order in permutations(PREFIXES, count)], ids=str
)
def test_wrappers_prefixes_come_off_in_any_order(prefix):
    other = {'criterion.weight': torch.zeros(3)} if prefix.replace('_orig_mod.', '') else {}
    given = {**{prefix + key: value for key, value in NET.items()}, **other}
    taken = published_weights({'state_dict': given}, 'x.pth', 'torchvision_resnet18')
    plain = published_weights(NET, 'x.pth', 'torchvision_resnet18')
    assert taken.keys() == plain.keys()
    assert all(taken[key] is given[prefix + name] for key, name in _names(plain))


def _names(plain: dict) -> list[tuple[str, str]]:
    ours = [key.removeprefix('backbone.').replace('head.fc', 'fc') for key in plain]
    return list(zip(plain, ours, strict=True))


def test_a_compiled_part_is_the_part():
    given = {'module.encoder_q._orig_mod.' + key: value for key, value in NET.items()}
    trunk = published_trunk(given)
    assert trunk.keys() == {f'backbone.{key}' for key in NET if not key.startswith('fc.')}


@pytest.mark.parametrize('take', [lambda old: published_weights(old, 'x', 'torchvision_resnet18'), published_trunk])
def test_counters_that_old_torch_did_not_write_are_0(take):
    counters = [key for key in NET if key.endswith('num_batches_tracked')]
    taken = take({key: value for key, value in NET.items() if key not in counters})
    assert [key for key in taken if key.endswith('num_batches_tracked')] == [f'backbone.{key}' for key in counters]
    assert all(taken[f'backbone.{key}'].item() == 0 for key in counters)


def test_one_counter_that_is_missing_is_missing():
    old = dict(NET)
    del old['bn1.num_batches_tracked']
    with pytest.raises(CheckpointError, match=r'bn1\.num_batches_tracked'):
        published_weights(old, 'x', 'torchvision_resnet18')


def test_weights_under_another_name_are_found_or_named():
    weights = {'weight': torch.ones(2)}
    assert find_state_dict({'model_state_dict': weights, 'epoch': 3}) == weights
    with pytest.raises(CheckpointError, match=r"weights stand under \['student'\]: torch\.save\(torch\.load"):
        find_state_dict({'student': weights, 'epoch': 3})


def test_a_program_is_refused_with_what_to_do(tmp_path):
    network = torch.nn.Sequential(torch.nn.Linear(2, 2))
    torch.jit.trace(network, torch.zeros(1, 2)).save(tmp_path / 'traced.pt')
    with pytest.raises(CheckpointError, match=r"TorchScript program.*torch\.jit\.load\('traced\.pt'\)\.state_dict"):
        read_checkpoint(tmp_path / 'traced.pt')
    torch.save(network, tmp_path / 'whole.pt')
    with pytest.raises(CheckpointError, match=r'torch\.save\(model\.state_dict\(\)'):
        read_checkpoint(tmp_path / 'whole.pt')


def test_what_no_tensor_tells_is_said():
    said = _assumed('s2bnn_step2_reactnet_mlp')
    assert "'ScaledSign'" in said
    assert said.endswith('of the same tensors: s2bnn_step1_reactnet_mlp')
    assert 'burn_reactnet_binact' in _assumed('burn_reactnet')
    assert _assumed('torchvision_resnet18') == 'assumed, as no tensor tells: real convolutions'
