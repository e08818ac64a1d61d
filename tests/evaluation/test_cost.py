"""What networks cost: the published numbers, torch's own counter, plain arithmetic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from contracts.small import RECU
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from binssl.binary import BINARY, BINARY_INPUT, BinaryConv2d
from binssl.engine.config import load_config
from binssl.evaluation import CostReport, measure_config, measure_cost
from binssl.registry import ALGORITHMS, BACKBONES, ConfigError

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / 'configs'
MODELS = {
    path.relative_to(CONFIGS).as_posix(): path
    for folder in ('supervised', 'selfsup')
    for path in sorted((CONFIGS / folder).rglob('*.py'))
}
BURN_TRUNK = dict(type='PoolMLP', in_channels=1024, widths=[1024], last_activation=True)
SHIFTED = dict(shift=True, activation='RPReLU')


def network(head: bool = True, neck: dict | None = None, **backbone: Any) -> nn.Module:
    """On no device, with a 1000-way classifier."""
    with torch.device('meta'):
        width = BACKBONES.build(backbone).out_channels
        classifier = dict(type='LinearHead', num_classes=1000, in_channels=width) if head else None
        return ALGORITHMS.build(dict(type='Encoder', backbone=backbone, neck=neck, head=classifier))


@pytest.mark.parametrize(
    ('model', 'flops', 'bops', 'ops'),
    [
        (dict(type='ReActNet'), 0.119e8, 4.817e9, 0.871e8),
        (dict(type='ReActNet', neck=BURN_TRUNK, head=False), None, 4.817e9, 0.872e8),
        (dict(type='ReActNet', neck=BURN_TRUNK), None, 4.817e9, 0.882e8),
        (dict(type='ResNet'), None, None, 1.64e8),
        (dict(type='ResNet', **SHIFTED), None, None, 1.64e8),
        (dict(type='ResNet', depths=[6, 8, 12, 6]), None, None, 1.93e8),
    ],
    ids=['ReActNet-A', 'BURN', 'BURN, classified', 'Bi-Real-18', 'ReActNet-18', 'Bi-Real-34'],
)
def test_operations_are_the_published_ones(model, flops, bops, ops):
    total = measure_cost(network(**model), 224).total
    for counted, published in ((total.flops, flops), (total.bops, bops), (total.ops, ops)):
        digits = 3 if published != bops else 4
        assert published is None or float(f'{counted:.{digits - 1}e}') == pytest.approx(published)


def test_packed_bytes_of_bireal18_are_those_of_its_plan():
    widths = (64, 128, 256, 512)
    binary = sum(9 * width * (before + 3 * width) for before, width in zip((64, *widths), widths, strict=False))
    shortcuts = 64 * 128 + 128 * 256 + 256 * 512
    real = 64 * 3 * 7 * 7 + shortcuts + 513 * 1000
    norms, scales = 2 * (64 + 4 * sum(widths) + sum(widths[1:])), 4 * sum(widths)
    total = measure_cost(network(type='ResNet'), 224).total
    assert total.parameters == binary + real + norms
    assert total.bytes_packed == binary / 8 + 4 * (real + norms + scales)


@pytest.mark.parametrize(
    'backbone',
    [
        dict(type='ReActNet'),
        dict(type='ResNet', depths=[2, 2, 2, 2], convs_per_shortcut=2, shortcut='conv'),
        dict(type='TwoStreamResNet'),
        dict(type='VGG', input_size=224),
        dict(type='TorchvisionResNet', depth=50),
        *(
            dict(type='TorchvisionModel', name=name)
            for name in ('mobilenet_v3_small', 'densenet121', 'convnext_tiny', 'shufflenet_v2_x1_0')
        ),
    ],
    ids=lambda backbone: backbone.get('name', backbone['type']),
)
def test_multiply_adds_are_those_that_torch_counts(backbone):
    model = network(**backbone).eval()
    total = measure_cost(model, 224).total
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.empty(1, 3, 224, 224, device='meta'))
    assert total.flops + total.bops == counter.get_total_flops() / 2


class Pair(nn.Module):
    """Two convolutions of 3 -> 5 -> 5 channels, the second with a bias and used twice, and a BatchNorm."""

    def __init__(self, **second: Any) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 5, 1, bias=False)
        self.norm = nn.BatchNorm2d(5)
        self.second = BinaryConv2d(5, 5, 3, padding=1, bias=True, **second)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.first(images))
        return self.second(self.second(x))


WEIGHTS, TWICE = 5 * 5 * 9, 2 * 5 * 5 * 9 * 36


@pytest.mark.parametrize(
    ('second', 'kind', 'flops', 'bops', 'packed'),
    [
        (dict(activation=BINARY['activation'], weight=BINARY['weight']), 'binary', 0, TWICE, 29 + 4 * 5 + 4 * 5),
        (dict(activation=dict(type='BoxSign'), weight=dict(type='BoxSign')), 'binary', 0, TWICE, 29 + 4 * 5),
        (
            dict(activation=dict(type='AdaptiveActivationSign'), weight=dict(type='AdaptiveWeightSign')),
            'binary',
            2 * 5 * 36,  # the sum of the bits times each filter's centre
            TWICE + 2 * 5 * 9 * 36,  # and that sum, as of a filter of ones
            29 + 4 * 5 + 4 * 5 + 4 * 5,
        ),
        (
            dict(activation=dict(type='Clip'), weight=dict(type='AdaptiveWeightSign')),
            'binary weights',
            TWICE,
            0,
            29 + 4 * 5 + 4 * 5 + 4 * 5,
        ),
        (dict(activation=BINARY_INPUT['activation']), 'binary input', TWICE, 0, 4 * (WEIGHTS + 5)),
        (dict(weight=BINARY['weight']), 'binary weights', TWICE, 0, 29 + 4 * 5 + 4 * 5),
        (dict(activation=dict(type='Clip'), weight=BINARY['weight']), 'binary weights', TWICE, 0, 29 + 4 * 5 + 4 * 5),
        (dict(), 'real', TWICE, 0, 4 * (WEIGHTS + 5)),
    ],
    ids=['scaled', 'plain signs', 'AdaBin', 'AdaBin weights', 'step 1', 'weights only', 'real stand-in', 'real'],
)
def test_a_layer_is_binary_where_both_factors_are(second, kind, flops, bops, packed):
    first, norm, layer, *learned = measure_cost(Pair(**second), 6).layers
    assert sum(part.bytes_packed for part in learned) == (
        8 if second.get('activation', {}).get('type') == 'AdaptiveActivationSign' else 0
    )
    assert (layer.name, layer.kind, layer.flops, layer.bops) == ('second', kind, flops, bops)
    assert (layer.parameters, layer.bytes_32_bit, layer.bytes_packed) == (WEIGHTS + 5, 4 * (WEIGHTS + 5), packed)
    assert (first.kind, first.flops, first.ops, first.bytes_packed) == ('real', 3 * 5 * 36, 3 * 5 * 36, 4 * 15)
    assert (norm.kind, norm.ops, norm.parameters, norm.bytes_packed) == ('BatchNorm2d', 0, 10, 40)
    assert layer.ops == flops + bops / 64


def test_a_learned_output_scale_is_a_parameter_and_no_operation():
    *_, layer, scale = measure_cost(Pair(**{key: RECU[key] for key in ('activation', 'weight', 'scale')}), 6).layers
    assert (layer.kind, layer.bops, layer.bytes_packed) == ('binary', TWICE, 29 + 4 * 5)
    assert (scale.name, scale.kind, scale.ops, scale.parameters, scale.bytes_packed) == (
        'second.scale',
        'ChannelScale',
        0,
        5,
        20,
    )


def test_measuring_leaves_the_network_as_it_is():
    model = Pair(**{key: BINARY[key] for key in ('activation', 'weight')}).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    measure_cost(model, 6)
    assert model.training
    assert not model.first._forward_hooks
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_groups_share_no_multiply_add():
    convolution = nn.Conv2d(3, 6, 3, groups=3, bias=False)  # 2 outputs of each channel
    assert measure_cost(convolution, 5).total.flops == 6 * 9 * 3 * 3


@pytest.mark.parametrize('path', MODELS.values(), ids=list(MODELS))
def test_every_training_config_has_a_cost_without_data_or_teacher(path):
    cfg = load_config(path)
    report = measure_config(cfg)
    assert report.total.ops > 0
    assert report.total.parameters == sum(layer.parameters for layer in report.layers)
    assert report.total.bytes_packed <= report.total.bytes_32_bit
    parts = {layer.name.split('.')[0] for layer in report.layers}
    assert parts - {'neck'} == ({'backbone', 'head'} if cfg.model.type == 'Classifier' else {'backbone'})
    json.dumps(report.as_data())


def write(folder: Path, **parts: Any) -> Path:
    path = folder / 'config.py'
    path.write_text('\n'.join(f'{name} = {value!r}' for name, value in parts.items()) + '\n')
    return path


def loader(views: list | None, kind: str = 'ImageNet') -> dict:
    return dict(dataset=dict(type=kind, split='val', views=views))


CROP = [dict(type='torchvision/Resize', size=70), dict(type='torchvision/CenterCrop', size=[60, 60])]
SMALL = dict(type='Encoder', backbone=dict(type='ReActNet', channels=[8, 8], strides=[1], stem_stride=1))


@pytest.mark.parametrize(
    ('parts', 'size'),
    [
        (dict(test_dataloader=loader([CROP]), val_dataloader=loader(None)), 60),
        (dict(val_dataloader=loader([CROP])), 60),
        (dict(val_dataloader=loader([[*CROP, dict(type='torchvision/RandomHorizontalFlip')]])), 60),
        (dict(val_dataloader=loader(None)), 224),
        (dict(val_dataloader=loader([dict(type='DigitsAugment', size=6)], 'Digits')), 6),
        (dict(val_dataloader=loader([dict(type='DigitsAugment')], 'Digits')), 8),
        (dict(test_dataloader=loader(None, 'CIFAR10')), 32),
        (dict(val_dataloader=dict(dataset=dict(type='BankAndQuery', bank={}, query=loader([CROP])['dataset']))), 60),
        (dict(train_dataloader=loader([CROP, [dict(type='torchvision/RandomResizedCrop', size=30)]])), 60),
        (dict(model=dict(SMALL, backbone=dict(SMALL['backbone'], input_size=12)), train_dataloader=loader([CROP])), 12),
    ],
)
def test_the_size_is_that_of_the_images_it_is_tested_on(parts, size, tmp_path):
    assert measure_config(load_config(write(tmp_path, **{'model': SMALL, **parts}))).input_size == size


def test_a_given_size_comes_first(tmp_path):
    model = dict(SMALL, backbone=dict(SMALL['backbone'], input_size=12))
    report = measure_config(load_config(write(tmp_path, model=model)), 10)
    assert report.layers[0].flops == 10 * 10 * 8 * 27


def test_published_weights_are_not_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, 'load_state_dict_from_url', lambda *_, **__: pytest.fail('a download'))
    backbone = dict(type='TorchvisionModel', name='mobilenet_v2', weights='DEFAULT')
    report = measure_config(load_config(write(tmp_path, model=dict(type='Encoder', backbone=backbone))), 224)
    assert report.total.flops == pytest.approx(3.008e8 - 1.28e6, rel=1e-3)


def test_a_plan_computed_with_tensors_has_a_cost(tmp_path):
    state = torch.get_rng_state()
    backbone = dict(type='TorchvisionModel', name='regnet_y_400mf')
    report = measure_config(load_config(write(tmp_path, model=dict(type='Encoder', backbone=backbone))), 224)
    assert report.total.flops == pytest.approx(4.0e8, rel=0.01)  # hence its name
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ('parts', 'size', 'message'),
    [
        (dict(), None, 'has no model'),
        (
            dict(model=dict(type='Classifier', head=dict(type='LinearHead', num_classes=3, in_channels=8))),
            8,
            'names no backbone',
        ),
        (dict(model=dict(SMALL, type='Encodr')), 8, "did you mean 'Encoder'"),
        (dict(model=SMALL), None, 'no size of images'),
        (dict(model=SMALL), 0, 'no pixel'),
        (dict(model=dict(type='Encoder', backbone=dict(type='ReActNet'))), 16, 'too small for this plan'),
        (dict(model=dict(type='Encoder', backbone=dict(type='TorchvisionModel', name='alexnet'))), 20, '20 x 20 px'),
        (dict(model=dict(type='Encoder', backbone=dict(type='ReActNett'))), 8, "did you mean 'ReActNet'"),
    ],
)
def test_what_has_no_cost_is_said_in_a_sentence(parts, size, message, tmp_path):
    with pytest.raises(ConfigError, match=message) as caught:
        measure_config(load_config(write(tmp_path, **parts)), size)
    assert '\n' not in str(caught.value)


def test_the_table_has_every_layer_and_their_sum():
    report = measure_cost(network(type='ResNet', widths=[8], depths=[1], stem='small'), 8)
    assert isinstance(report, CostReport)
    lines = [
        [cell.strip() for cell in line.strip('|').split('|')]
        for line in str(report).splitlines()
        if line.startswith('|')
    ]
    table = {line[0]: line[1:] for line in lines[2:]}
    assert list(table) == ['backbone.stem.conv', 'backbone.stages.0.0.units.0.conv', 'head.fc', '(2 together)', 'total']
    assert table['backbone.stages.0.0.units.0.conv'] == ['binary', '0', '36,864', '576', '576', '2,304', '104']
    assert table['total'] == ['', '21,824', '36,864', '22,400', '9,824', '39,296', '37,096']
    assert 'in total, 8 x 8 px: 2.182e4 FLOPs, 3.686e4 BOPs, 2.240e4 OPs' in str(report)
    assert 'OPs = FLOPs + BOPs / 64' in str(report)
