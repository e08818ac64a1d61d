"""Published whole models through the converter agree with the published implementations' frozen outputs."""

from __future__ import annotations

import copy
import functools
import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import resnet50

import binssl
from binssl.binary import BinaryConv2d
from binssl.checkpoints import CONVERSIONS, CheckpointError, convert_checkpoint, read_checkpoint
from binssl.checkpoints.convert import rename_all
from binssl.core.files import file_sha256

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'tests' / 'reference'))
from fill import reference_cotangent, reference_images, reference_state_dict  # noqa: E402

NETWORKS = [
    'burn_reactnet',
    'burn_reactnet_binact',
    's2bnn_step1_reactnet_mlp',
    's2bnn_step2_reactnet_mlp',
    'reactnet_mobilenet_step1',
    'reactnet_mobilenet_step2',
    'bireal18',
    'bireal34',
    'reactnet_resnet18_step2',
    'recu_resnet20_cifar',
    'recu_resnet18_cifar',
    'recu_vgg_small_cifar',
    'recu_resnet18_imagenet',
    'recu_twostage_resnet18',
]
LAYOUTS = {
    'burn_reactnet': lambda weights: {'state_dict': weights, 'author': 'x'},
    'burn_reactnet_binact': lambda weights: weights,
    'reactnet_mobilenet_step1': lambda weights: {'model': weights},
}


@functools.lru_cache(maxsize=1)
def published(name: str) -> dict[str, torch.Tensor]:
    weights = reference_state_dict(name)
    return {key: torch.from_numpy(np.asarray(value)) for key, value in weights.items()}


def write_published(name: str, path: Path) -> None:
    wrap = LAYOUTS.get(name, lambda weights: {'epoch': 200, 'state_dict': weights})
    torch.save(wrap(published(name)), path)


class Converted:
    """One published file, converted and loaded again; made once for all tests of a NAME."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.source, self.out = name, folder / 'published.pth.tar', folder / 'ours.pth'
        write_published(name, self.source)
        self.report = convert_checkpoint(self.source, self.out, name)
        self.model = binssl.load_model(self.out).double()
        self.numbers = np.load(ROOT / 'tests' / 'reference' / f'{name}.npz')
        prefix = 'module.encoder_q.' if name.startswith('s2bnn') else ''
        weights = {
            key.removeprefix(prefix): value for key, value in published(name).items() if not key.endswith('.tau')
        }
        names = rename_all(CONVERSIONS[name], weights)
        self.our_names = {prefix + key: ours for key, ours in names.items()}


@pytest.fixture(scope='module', params=NETWORKS)
def converted(request, tmp_path_factory) -> Converted:
    return Converted(request.param, tmp_path_factory.mktemp(request.param))


def images(count: int, name: str) -> torch.Tensor:
    size = json.loads((ROOT / 'tests' / 'reference' / f'{name}.keys.json').read_text())['input_hw']
    return torch.from_numpy(reference_images((count, 3, size, size), 0)).double()


def relative_error(ours: torch.Tensor, reference: np.ndarray) -> float:
    return float((ours - torch.from_numpy(reference)).norm() / np.linalg.norm(reference))


def test_eval_outputs_are_the_published_ones(converted):
    with torch.no_grad():
        outputs = converted.model(images(2, converted.name), mode='tensor')
    assert relative_error(outputs, converted.numbers['eval_seed0']) < 1e-8


def test_train_outputs_and_gradient_norms_are_the_published_ones(converted):
    model = copy.deepcopy(converted.model).train()
    outputs = model(images(4, converted.name), mode='tensor')
    assert relative_error(outputs.detach(), converted.numbers['train_out_seed0']) < 1e-8
    (outputs * torch.from_numpy(reference_cotangent(tuple(outputs.shape)))).sum().backward()
    norms = {name: parameter.grad.norm().item() for name, parameter in model.named_parameters()}
    names, values = converted.numbers['grad_norm_seed0_names'], converted.numbers['grad_norm_seed0_values']
    ours = converted.our_names
    expected = {ours[key]: value for key, value in zip(names, values, strict=True) if not np.isnan(value)}
    assert set(norms) == set(expected)
    for name, value in expected.items():
        assert norms[name] == pytest.approx(value, rel=1e-6), name


def test_what_gets_no_gradient_in_the_published_network_is_dropped_and_named(converted):
    names, values = converted.numbers['grad_norm_seed0_names'], converted.numbers['grad_norm_seed0_values']
    dead = {key for key, value in zip(names, values, strict=True) if np.isnan(value)}
    ours = converted.our_names
    assert {key for key in names if ours[key] is None} == dead
    assert len(dead) == (63 if converted.name.startswith('s2bnn') else 0)
    if dead:
        assert 'dropped: 126 tensors' in converted.report  # with the running statistics of their BatchNorms
        assert 'feature.1: binary_pw, bn2\n' in converted.report
        assert 'feature.13: binary_pw_down1, binary_pw_down2, bn2_1, bn2_2\n' in converted.report
    assert len(read_checkpoint(converted.out)['meta']['dropped']) == 2 * len(dead)


def test_the_file_records_where_it_comes_from(converted):
    meta = read_checkpoint(converted.out)['meta']
    assert meta['converted_from'] == converted.name
    assert meta['sha256_source'] == file_sha256(converted.source)
    assert not converted.model.training


def test_real_weights_of_reactnets_resnet_18_fit_every_entry(tmp_path):
    write_published('reactnet_resnet18_step1', tmp_path / 'a.pth')
    report = convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'ours.pth', 'reactnet_resnet18_step1')
    assert 'reactnet_resnet18_step1: 186 of 186 tensors taken' in report
    model = binssl.load_model(tmp_path / 'ours.pth')
    convs = [module for module in model.modules() if isinstance(module, BinaryConv2d)]
    assert len(convs) == 16
    assert all(conv.weight_binarizer is None for conv in convs)
    convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'step2.pth', 'reactnet_resnet18_step2')  # the same entries


def test_moco_teacher_agrees_with_torchvision(tmp_path):
    torch.manual_seed(0)
    network = resnet50()
    network.fc = torch.nn.Sequential(torch.nn.Linear(2048, 2048), torch.nn.ReLU(), torch.nn.Linear(2048, 128))
    weights = {f'module.encoder_q.{key}': value for key, value in network.state_dict().items()}
    torch.save({'epoch': 800, 'arch': 'resnet50', 'state_dict': weights}, tmp_path / 'moco.pth.tar')
    convert_checkpoint(tmp_path / 'moco.pth.tar', tmp_path / 'ours.pth', 'moco_v2_resnet50')
    model = binssl.load_model(tmp_path / 'ours.pth')
    batch = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(model(batch), network.eval()(batch))
        assert model.extract(batch).shape == (2, 2048)


def test_momentum_copies_and_queues_are_left_out(tmp_path):
    name = 's2bnn_step1_reactnet_mlp'
    weights = published(name)
    copies = {key.replace('encoder_q', 'encoder_k'): value for key, value in weights.items()}
    extra = {**copies, 'module.queue': torch.zeros(128, 8), 'module.queue_ptr': torch.zeros(1)}
    torch.save({'state_dict': {**weights, **extra}}, tmp_path / 'a.pth')
    report = convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'ours.pth', name)
    assert f"prefix taken off: 'module.encoder_q.'; {len(extra)} tensors without it left out" in report
    assert all(
        key.split('.')[0] in ('backbone', 'head') for key in read_checkpoint(tmp_path / 'ours.pth')['state_dict']
    )


def test_a_data_parallel_prefix_is_taken_off(tmp_path):
    weights = {f'module.{key}': value for key, value in published('reactnet_mobilenet_step2').items()}
    torch.save({'state_dict': weights}, tmp_path / 'a.pth')
    report = convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'ours.pth', 'reactnet_mobilenet_step2')
    assert "prefix taken off: 'module.'" in report
    assert 'reshaped: 31 flattened weights' in report


def test_another_layout_is_a_table_and_no_file(tmp_path):
    write_published('burn_reactnet_binact', tmp_path / 'a.pth')
    with pytest.raises(CheckpointError) as caught:
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'ours.pth', 's2bnn_step2_reactnet_mlp')
    message = str(caught.value)
    assert 'not a s2bnn_step2_reactnet_mlp checkpoint' in message
    assert 'missing (2):\n    head.projector.linear1.weight (128, 1024)' in message
    assert not (tmp_path / 'ours.pth').exists()


def test_another_width_is_a_table_and_no_file(tmp_path):
    weights = dict(published('burn_reactnet_binact'))
    weights['feature.3.bn1.weight'] = torch.ones(7)
    torch.save(weights, tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match=r'blocks\.2\.spatial\.norm\.weight \(7,\), needed \(128,\)'):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'ours.pth', 'burn_reactnet_binact')
    assert list(tmp_path.iterdir()) == [tmp_path / 'a.pth']


def test_an_unknown_name_gets_the_nearest(tmp_path):
    with pytest.raises(CheckpointError, match="did you mean 'burn_reactnet'"):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'ours.pth', 'burn_reactnets')


def test_a_file_that_stands_is_kept_unless_forced(tmp_path):
    write_published('burn_reactnet_binact', tmp_path / 'a.pth')
    (tmp_path / 'ours.pth').write_text('precious')
    with pytest.raises(CheckpointError, match='--force'):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'ours.pth', 'burn_reactnet_binact')
    assert (tmp_path / 'ours.pth').read_text() == 'precious'
    convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'ours.pth', 'burn_reactnet_binact', force=True)
    with pytest.raises(CheckpointError, match='the source itself'):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'a.pth', 'burn_reactnet_binact', force=True)


def test_the_command_refuses_a_wrong_file_without_a_traceback(tmp_path, monkeypatch, capsys):
    torch.save({'state_dict': {'layer1.weight': torch.zeros(2)}}, tmp_path / 'a.pth')
    arguments = [str(tmp_path / 'a.pth'), str(tmp_path / 'new' / 'b.pth'), '--from', 'reactnet_mobilenet_step1']
    monkeypatch.setattr(sys, 'argv', ['convert_checkpoint.py', *arguments])
    with pytest.raises(SystemExit, match='1'):
        runpy.run_path(str(ROOT / 'tools' / 'convert_checkpoint.py'), run_name='__main__')
    errors = capsys.readouterr().err
    assert 'Traceback' not in errors
    assert 'error: not a reactnet_mobilenet_step1 checkpoint' in errors
    assert 'missing (298):\n    backbone.stem.conv.weight (32, 3, 3, 3)' in errors
    assert 'unexpected (1):\n    layer1.weight (2,)' in errors
    assert not (tmp_path / 'new').exists()


def test_the_command_converts(tmp_path, monkeypatch, capsys):
    write_published('burn_reactnet_binact', tmp_path / 'a.pth')
    arguments = [str(tmp_path / 'a.pth'), str(tmp_path / 'b.pth'), '--from', 'burn_reactnet_binact']
    monkeypatch.setattr(sys, 'argv', ['convert_checkpoint.py', *arguments])
    runpy.run_path(str(ROOT / 'tools' / 'convert_checkpoint.py'), run_name='__main__')
    assert 'burn_reactnet_binact: 298 of 298 tensors taken' in capsys.readouterr().out
    assert binssl.load_model(tmp_path / 'b.pth')(torch.zeros(1, 3, 64, 64)).shape == (1, 1024)
