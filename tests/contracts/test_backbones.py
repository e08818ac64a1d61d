"""What every registered backbone owes: one row in a table, and the whole suite applies."""

from __future__ import annotations

import copy

import pytest
import torch
from contracts.small import RECU
from contracts.test_parts import offered
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

import binssl.backbones
from binssl.binary import BINARY, REAL
from binssl.registry import BACKBONES

SMALL = dict(stem='small', widths=[8, 16], depths=[2, 1])
RECU_RESNET = dict(type='ResNet', **SMALL, activation='Hardtanh', shortcut='pad', conv_cfg=RECU)

# config, shape of the last map of 3 images of 8 x 8 px
ROWS = {
    'Pixels': (dict(type='Pixels'), (3, 3, 8, 8)),
    'ReActNet': (dict(type='ReActNet', channels=[8, 16], strides=[2], stem_stride=1), (3, 16, 4, 4)),
    'ReActNet, ReCU': (
        dict(type='ReActNet', channels=[8, 16], strides=[2], stem_stride=1, conv_cfg=RECU),
        (3, 16, 4, 4),
    ),
    'ResNet': (dict(type='ResNet', **SMALL), (3, 16, 4, 4)),
    'ResNet, ReCU': (RECU_RESNET, (3, 16, 4, 4)),
    'ResNet, ReCU, two convolutions': (dict(RECU_RESNET, convs_per_shortcut=2), (3, 16, 4, 4)),
    'ResNet, ReCU in two stages': (dict(RECU_RESNET, activation='RPReLU', shift=True, shortcut='pool'), (3, 16, 4, 4)),
    'TorchvisionModel': (dict(type='TorchvisionModel', name='resnet18'), (3, 512, 1, 1)),
    'TorchvisionResNet': (dict(type='TorchvisionResNet', depth=18, **SMALL), (3, 16, 4, 4)),
    'TwoStreamResNet': (dict(type='TwoStreamResNet', **SMALL), (3, 64, 4, 4)),
    'TwoStreamResNet, real': (dict(type='TwoStreamResNet', **SMALL, conv_cfg=REAL), (3, 64, 4, 4)),
    'VGG': (dict(type='VGG', widths=[8, 16], depths=[1, 2]), (3, 16, 2, 2)),
    'VGG, ReCU': (dict(type='VGG', widths=[8, 16], depths=[1, 2], conv_cfg=RECU), (3, 16, 2, 2)),
    'VGG, real': (dict(type='VGG', widths=[8, 16], activation='ReLU', depths=[1, 2], conv_cfg=REAL), (3, 16, 2, 2)),
}
LEARNS = [row for row in ROWS if row != 'Pixels']
CLASSES_OF_CONVS = [row for row in LEARNS if not row.startswith('Torchvision')]


def build(row: str) -> nn.Module:
    torch.manual_seed(0)
    return BACKBONES.build(ROWS[row][0])


def images(seed: int = 0) -> torch.Tensor:
    return torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


def test_every_registered_backbone_has_a_row():
    BACKBONES.import_from_location()
    names = {name for name, kind in BACKBONES.module_dict.items() if kind.__module__.startswith('binssl.')}
    assert names == {config['type'] for config, _ in ROWS.values()} == offered(binssl.backbones)


@pytest.mark.parametrize('row', ROWS)
class TestBackbone:
    def test_gives_a_tuple_of_maps_whose_last_width_it_tells(self, row):
        network = build(row)
        maps = network(images())
        assert isinstance(maps, tuple)
        assert maps[-1].shape == ROWS[row][1]
        assert network.out_channels == ROWS[row][1][1]

    def test_state_dict_round_trip(self, row):
        first, second = build(row), BACKBONES.build(ROWS[row][0])
        second.load_state_dict(first.state_dict(), strict=True)
        with torch.no_grad():
            outputs = [network.eval()(images())[-1] for network in (first, second)]
        assert torch.equal(*outputs)

    def test_config_is_left_as_it_was(self, row):
        before = copy.deepcopy(ROWS[row][0])
        build(row)
        assert ROWS[row][0] == before

    def test_float64_reaches_everything(self, row):
        network = build(row).double()
        assert network(images().double())[-1].dtype == torch.float64
        assert {value.dtype for value in network.state_dict().values() if value.is_floating_point()} <= {torch.float64}

    def test_forward_never_waits_for_the_device(self, row):
        network = build(row)
        with FakeTensorMode(allow_non_fake_inputs=True) as fake:
            assert network(fake.from_tensor(images()))[-1].shape == ROWS[row][1]


@pytest.mark.parametrize('row', LEARNS)
def test_every_parameter_gets_a_finite_gradient(row):
    network = build(row)
    torch.linalg.vector_norm(network(images())[-1] - 0.1).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any() or row == 'TorchvisionModel', name  # its last map is a single pixel


@pytest.mark.parametrize('row', CLASSES_OF_CONVS)
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast_keeps_the_map_in_half_and_the_gradients_in_float32(row, dtype):
    network = build(row)
    with torch.autocast('cpu', dtype=dtype):
        (last,) = network(images())
    assert last.dtype == dtype
    last.float().square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad.dtype == torch.float32, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize('row', ['TwoStreamResNet', 'VGG', 'VGG, ReCU', 'ResNet, ReCU'])
def test_compiles_into_one_graph(row):
    network = build(row)
    compiled = torch.compile(network, backend='aot_eager', fullgraph=True)
    gradients = []
    for run in (network, compiled):
        network.zero_grad()
        run(images())[-1].square().mean().backward()
        gradients.append([parameter.grad.clone() for parameter in network.parameters()])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('kind', ['TwoStreamResNet', 'VGG'])
def test_weights_go_through_all_precisions(kind):
    step = dict(type='BinaryConv2d', activation=dict(type='ApproxSign'))
    networks = [BACKBONES.build(dict(ROWS[kind][0], conv_cfg=conv)) for conv in (REAL, step, BINARY)]
    outputs = []
    for network in networks:
        network.load_state_dict(networks[0].state_dict(), strict=True)
        outputs.append(network.eval()(images())[-1])
    assert not torch.allclose(outputs[0], outputs[1])
    assert not torch.allclose(outputs[1], outputs[2])
