"""Linear evaluation follows the papers, and the configs for ImageNet state the costs of their networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from binssl.binary import BinaryConv2d
from binssl.engine.config import load_config
from binssl.recipes.grid import parse_grid
from binssl.registry import BACKBONES

LINEAR = Path(__file__).parents[2] / 'configs/benchmarks/linear_classification/imagenet'

#: protocol: optimiser, rate, images a step, epochs, curve of the rate, decay
PROTOCOLS = {
    'burn': ('SGD', 0.01, 256, 100, 'step', 0),
    's2bnn': ('SGD', 0.1, 256, 100, 'step', 0),
    'moco': ('SGD', 30.0, 256, 100, 'step', 0),
    'swav': ('SGD', 0.3, 256, 100, 'cosine', 1e-6),
    'simsiam': ('LARS', 1.6, 4096, 90, 'cosine', 0),
}


@pytest.mark.parametrize('name', PROTOCOLS)
def test_linear_protocols_are_the_published_ones(name: str) -> None:
    cfg, (optimiser, rate, images, epochs, curve, decay) = load_config(LINEAR / f'{name}.py'), PROTOCOLS[name]
    chosen = cfg.optim_wrapper.optimizer
    assert (chosen.type, chosen.momentum) == (optimiser, 0.9)
    assert chosen.weight_decay == pytest.approx(decay, abs=1e-11)
    assert chosen.lr == pytest.approx(rate)
    assert (cfg.global_batch_size, cfg.train_cfg.max_epochs, cfg.schedules.lr.curve) == (images, epochs, curve)
    assert curve != 'step' or list(cfg.schedules.lr.milestones) == [60, 80]
    assert list(cfg.model.frozen) == ['backbone', 'neck']


@pytest.mark.parametrize('path', sorted(LINEAR.glob('*.py')), ids=lambda path: path.stem)
def test_linear_protocols_take_any_trunk(path: Path) -> None:
    assert 'in_channels' not in load_config(path).model.head


def test_two_layer_probe_leaves_the_neck_to_learn() -> None:
    assert list(load_config(LINEAR / 'react_last_full.py').model.frozen) == ['backbone']


SEMI = LINEAR.parents[1] / 'semi_classification'


@pytest.mark.parametrize(('percent', 'decay'), [(1, 5e-4), (10, 1e-4)])
def test_semi_supervised_grid_is_the_published_one(percent: int, decay: float) -> None:
    folder = SEMI / f'imagenet_{percent}percent'
    points = {}
    for path in sorted(folder.glob('*.py')):
        cfg = load_config(path)
        chosen, factors = cfg.optim_wrapper.optimizer, cfg.optim_wrapper.paramwise_cfg.lr_mult
        points[path.stem] = chosen.lr, factors.head
        assert (chosen.type, chosen.momentum, chosen.weight_decay) == ('SGD', 0.9, decay)
        assert (cfg.global_batch_size, cfg.train_dataloader.batch_size, cfg.train_cfg.max_epochs) == (256, 64, 20)
        assert (list(cfg.schedules.lr.milestones), cfg.schedules.lr.gamma, cfg.sync_bn) == ([12, 16], 0.2, True)
        assert not cfg.model.get('frozen')
        assert cfg.train_dataloader.dataset.percent == percent
    kept = {1: dict(lr0_01_head100=(0.01, 100)), 10: dict(lr0_01_head10=(0.01, 10))}[percent]
    assert points == dict(base=(0.01, 1), **kept)
    grid = parse_grid([str(folder / 'base.py'), 'weights.pth'])  # makes all the others from the base
    assert (grid.lrs, grid.head_factors) == ([0.001, 0.01, 0.1], [1, 10, 100])


#: what the heads of the configs say: FLOPs, BOPs with a 1000-way classifier, at 224 px
COSTS: dict[str, tuple[dict[str, Any], float, float]] = {
    'ReActNet-A': (dict(type='ReActNet'), 0.119e8, 4.817e9),
    'Bi-Real-18': (dict(type='ResNet'), 1.378e8, 1.676e9),
    'MobileNetV2': (dict(type='TorchvisionModel', name='mobilenet_v2'), 3.008e8, 0),
    'ResNet-50': (dict(type='TorchvisionResNet', depth=50), 4.089e9, 0),
}


@pytest.mark.parametrize('name', COSTS)
def test_costs_in_the_heads_are_those_of_the_networks(name: str) -> None:
    config, flops, bops = COSTS[name]
    counted = {True: 0, False: 0}

    def count(layer: nn.Conv2d, _: object, output: torch.Tensor) -> None:
        counted[isinstance(layer, BinaryConv2d)] += output[0].numel() * layer.weight[0].numel()

    with torch.device('meta'):
        network = BACKBONES.build(config).eval()
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                layer.register_forward_hook(count)
        network(torch.empty(1, 3, 224, 224))
    assert counted[False] + 1000 * network.out_channels == pytest.approx(flops, rel=5e-3)
    assert counted[True] == pytest.approx(bops, rel=5e-4)
