"""The supervised configs train as the papers say (numbers: the papers' tables, not the configs)."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from pathlib import Path

import pytest
from configs.published import BIREAL_STEPS, CONFIGS, PUBLISHED, ROOT, read
from configs.shrink import small_model

from binssl.evaluation import measure_config
from binssl.hooks.schedule import Schedule
from binssl.registry import ALGORITHMS, OPTIM_WRAPPER_CONSTRUCTORS

POINTS = json.loads((ROOT / 'tests/reference/losses_and_schedules.json').read_text())

#: config: the published number that its head names
ROWS = {
    'recu/cifar10_resnet18': '92.8',
    'recu/cifar10_resnet18_finetune': '93.2',
    'recu/cifar10_resnet20': '87.5',
    'recu/cifar10_resnet20_finetune': '88.0',
    'recu/cifar10_vgg_small': '92.2',
    'recu/cifar10_vgg_small_finetune': '93.3',
    'recu/imagenet_resnet18': '60.98/82.57',
    'recu/imagenet_resnet18_finetune': '61.20/82.93',
    'recu/imagenet_resnet34': '65.10/85.78',
    'recu/imagenet_resnet34_finetune': '65.25/85.98',
    'recu/imagenet_twostage_step2': '66.4',
    'bireal/xnor_resnet18': '51.2/73.4',
    **{
        f'bireal/resnet{depth}_{recipe}': number
        for depth, number in ((18, '56.4/79.5'), (34, '62.2/83.9'), (50, '62.6/83.9'))
        for recipe in ('scratch', *(f'stepwise_{step}' for step in BIREAL_STEPS))
    },
    'reactnet/reactnet_a_step1': '70.114',
    'reactnet/reactnet_a_step2': '69.4',
    'reactnet/resnet18_step2': '65.9',
}


@pytest.mark.parametrize('name', ROWS)
def test_every_row_of_the_result_tables_has_a_config_that_names_it(name: str) -> None:
    head = (CONFIGS / f'{name}.py').read_text().split('"""')[1]
    assert re.search(rf'Published[^.]*: {re.escape(ROWS[name])}\b', ' '.join(head.split()))
    assert 'not yet measured' in ' '.join(head.split())


@pytest.mark.parametrize('name', PUBLISHED)
def test_costs_in_the_heads_are_those_of_the_binary_networks(name: str) -> None:
    head = ' '.join((CONFIGS / f'{name}.py').read_text().split('"""')[1].split())
    flops, ops, once_binary = re.search(r'([\d.]+e\d) FLOPs, ([\d.]+e\d) OPs( once binary)?', head).groups()
    cfg = deepcopy(read(name))
    if once_binary:
        cfg.model.backbone.pop('conv_cfg')  # the default is binary
    total = measure_config(cfg).total
    assert float(f'{total.flops:.3e}') == pytest.approx(float(flops), rel=5e-3)
    assert float(f'{total.ops:.3e}') == pytest.approx(float(ops), rel=1e-3)


#: config: optimiser, rate, decay, images a step, epochs
TRAININGS: dict[str, tuple[str, float, float, int, int]] = {
    **{
        f'recu/cifar{classes}_{network}': ('SGD', 0.1, 5e-4, 256, 600)
        for classes in (10, 100)
        for network in ('resnet18', 'resnet20', 'vgg_small')
    },
    'recu/imagenet_resnet18': ('SGD', 0.1, 1e-4, 512, 200),
    'recu/imagenet_resnet34': ('SGD', 0.1, 1e-4, 512, 200),
    'recu/imagenet_twostage_step2': ('Adam', 1e-3, 0, 512, 256),
    'bireal/resnet18_scratch': ('Adam', 1e-3, 0, 512, 256),
    'bireal/resnet34_scratch': ('Adam', 1e-3, 0, 512, 256),
    'bireal/resnet50_scratch': ('Adam', 5e-4, 0, 256, 256),
    'bireal/resnet18_stepwise_binary': ('SGD', 0.01, 0, 128, 20),
    'bireal/resnet34_stepwise_binary': ('SGD', 0.08, 0, 1024, 40),
    'bireal/xnor_resnet18': ('SGD', 0.1, 1e-4, 256, 58),
    'reactnet/reactnet_a_step1': ('Adam', 5e-4, 1e-5, 256, 256),
    'reactnet/reactnet_a_step2': ('Adam', 5e-4, 0, 256, 256),
    'reactnet/reactnet_a_step1_128epochs': ('Adam', 1.25e-3, 1e-5, 256, 128),
    'reactnet/reactnet_a_step2_128epochs': ('Adam', 1.25e-3, 0, 256, 128),
    'reactnet/resnet18_step1': ('Adam', 1e-3, 1e-5, 512, 256),
    'reactnet/resnet18_step2': ('Adam', 1e-3, 0, 512, 256),
    'reactnet/resnet18_step1_128epochs': ('Adam', 2.5e-3, 1e-5, 512, 128),
    'reactnet/resnet18_step2_128epochs': ('Adam', 2.5e-3, 0, 512, 128),
}


@pytest.mark.parametrize('name', TRAININGS)
def test_optimiser_batch_and_epochs_are_the_published_ones(name: str) -> None:
    cfg, (optimiser, rate, decay, images, epochs) = read(name), TRAININGS[name]
    chosen = cfg.optim_wrapper.optimizer
    assert (chosen.type, chosen.lr, chosen.weight_decay) == (optimiser, rate, decay)
    assert chosen.get('momentum') == (0.9 if optimiser == 'SGD' else None)
    assert (cfg.global_batch_size, cfg.train_cfg.max_epochs) == (images, epochs)
    assert images % cfg.train_dataloader.batch_size == 0


#: config: how convolutions and the classifier start, gains of BatchNorm2d; read in the released code
STARTS: dict[str, tuple[str, str, float]] = {
    **{f'bireal/resnet{depth}_scratch': ('torch_positive', 'torch', 1) for depth in (18, 34, 50)},
    **{
        f'reactnet/{network}_step{step}{epochs}': ('torch', 'torch', 1)
        for network in ('reactnet_a', 'resnet18')
        for step in (1, 2)
        for epochs in ('', '_128epochs')
    },
    **{
        f'recu/cifar{classes}_{network}': ('kaiming_fan_in', 'torch', 1)
        for classes in (10, 100)
        for network in ('resnet18', 'resnet20')
    },
    'recu/cifar10_vgg_small': ('kaiming', 'normal', 1),
    'recu/imagenet_resnet18': ('kaiming_fan_in', 'torch', 1e-8),
    'recu/imagenet_resnet34': ('kaiming_fan_in', 'torch', 1e-8),
    'recu/tinyimagenet_resnet18': ('kaiming_fan_in', 'torch', 1e-8),
    'recu/tinyimagenet_resnet34': ('kaiming_fan_in', 'torch', 1e-8),
    'recu/imagenet_twostage_step2': ('torch', 'torch', 1),
}


@pytest.mark.parametrize('name', STARTS)
def test_weights_start_as_in_the_release(name: str) -> None:
    backbone, head = read(name).model.backbone, read(name).model.head
    found = backbone.get('init', 'kaiming'), head.get('init', 'normal'), backbone.get('norm_gamma', 1)
    assert found == STARTS[name]


@pytest.mark.parametrize('name', ['recu/resnet18_digits', 'recu/resnet20_digits', 'bireal/scratch_digits'])
def test_digits_start_by_our_rule_and_say_so(name: str) -> None:
    model = read(name).model
    assert (model.backbone.get('init', 'kaiming'), model.head.get('init', 'normal')) == ('kaiming', 'normal')
    assert 'Weights start by our rule' in (CONFIGS / f'{name}.py').read_text()


@pytest.mark.parametrize(
    ('name', 'schedule', 'points'),
    [
        ('recu/cifar10_resnet20', 'lr', 'recu_lr lr=0.1 epochs=600 warm_up'),
        ('recu/cifar100_vgg_small', 'tau', 'recu_tau min=0.85 max=0.99 epochs=600'),
        ('bireal/resnet18_scratch', 'lr', 'bireal_lr lr=1e-3 epochs=256'),
        ('reactnet/reactnet_a_step2_128epochs', 'lr', 'reactnet_lr lr=1.25e-3 epochs=128'),
    ],
)
def test_schedules_go_through_the_published_points(name: str, schedule: str, points: str) -> None:
    cfg = read(name)
    described = Schedule(**cfg.schedules[schedule])
    (expected,) = (values for key, values in POINTS.items() if key.startswith(points))
    for epoch, value in expected.items():
        for iteration in (7 * int(epoch), 7 * int(epoch) + 6):  # by epoch: its first iteration as its last
            rate = described.value(cfg.optim_wrapper.optimizer.lr, iteration, 7, cfg.train_cfg.max_epochs)
            assert rate == pytest.approx(value, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize('name', ['recu/imagenet_resnet18', 'recu/imagenet_twostage_step2', 'recu/cifar10_vgg_small'])
def test_every_recu_training_has_both_schedules(name: str) -> None:
    schedules = read(name).schedules
    assert schedules.tau.to_dict() == read('recu/cifar10_resnet18').schedules.tau.to_dict()
    assert schedules.lr.to_dict() == read('recu/cifar10_resnet18').schedules.lr.to_dict()


def decayed(name: str, folder: Path) -> dict[str, bool]:
    """Of every parameter of the narrowed network whether the config's optimiser decays it."""
    cfg = read(name)
    model = ALGORITHMS.build(small_model(cfg, folder))
    wrapper_cfg = cfg.optim_wrapper.to_dict()
    constructor = dict(
        type='DefaultOptimWrapperConstructor',
        paramwise_cfg=wrapper_cfg.pop('paramwise_cfg', None),
        optim_wrapper_cfg=wrapper_cfg,
    )
    names = {parameter: key for key, parameter in model.named_parameters()}
    groups = OPTIM_WRAPPER_CONSTRUCTORS.build(constructor)(model).optimizer.param_groups
    return {names[parameter]: group['weight_decay'] > 0 for group in groups for parameter in group['params']}


def test_recu_decays_on_imagenet_what_its_code_calls_conv_or_fc(tmp_path: Path) -> None:
    found = decayed('recu/imagenet_resnet18', tmp_path)
    kinds = {key: 'shortcut' not in key and ('.conv.' in key or '.fc.' in key) for key in found}
    assert found == kinds
    assert found['backbone.stages.1.0.units.0.conv.scale.alpha']
    assert not found['backbone.stages.1.0.shortcut.conv.weight']


def test_recu_decays_everything_on_cifar(tmp_path: Path) -> None:
    assert all(decayed('recu/cifar10_resnet20', tmp_path).values())


@pytest.mark.parametrize('name', ['reactnet/reactnet_a_step1', 'reactnet/resnet18_step1'])
def test_reactnet_decays_convolutions_and_shifts_in_step_1(name: str, tmp_path: Path) -> None:
    found = decayed(name, tmp_path)
    shapes = {key: value.dim() for key, value in ALGORITHMS.build(small_model(read(name), tmp_path)).named_parameters()}
    assert found == {key: axes == 4 for key, axes in shapes.items()}
    assert any(on and 'shift' in key for key, on in found.items())
    assert not found['head.fc.weight']
