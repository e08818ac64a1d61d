"""The recipes for ImageNet say what the papers say (numbers: the papers' tables, not the configs)."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from binssl.checkpoints.convert import CONVERSIONS, rename_all
from binssl.engine import synchronise_batch_norm
from binssl.engine.config import load_config, parse_options
from binssl.engine.optimiser import ParameterGroups
from binssl.engine.preflight_parts import check_parts
from binssl.recipes.recipe import read_recipe
from binssl.registry import ALGORITHMS

ROOT = Path(__file__).parents[2]
STEP1 = dict(type='BinaryConv2d', activation=dict(type='ApproxSign'))
STEP2 = dict(STEP1, weight=dict(type='ScaledSign', ste='clip'))
SELFSUP = ROOT / 'configs/selfsup'


def read(name: str) -> Config:
    return load_config(SELFSUP / name)


#: config: optimiser, rate, decay, images a step, epochs, curve of the rate
SCHEDULES: dict[str, tuple[str, float, float, int, int, str]] = {
    'moco/resnet50': ('SGD', 0.03, 1e-4, 256, 800, 'cosine'),
    'moco/reactnet': ('SGD', 0.03, 1e-4, 256, 200, 'cosine'),
    'moco/bireal18': ('SGD', 0.03, 1e-4, 256, 200, 'cosine'),
    **dict.fromkeys(
        [f's2bnn/contrastive_{step}' for step in ('step1', 'step2', 'one_step')],
        ('Adam', 3e-4, 1e-4, 256, 200, 'linear'),
    ),
    **{
        f's2bnn/{mode}_{step}': ('Adam', 3e-4, 0, 256, 200, 'linear')
        for mode in ('contrastive_distillation', 'distillation')
        for step in ('step1', 'step2', 'one_step')
    },
    's2bnn/bireal18_step1': ('Adam', 3e-4, 0, 256, 200, 'linear'),
    's2bnn/bireal18_step2': ('Adam', 3e-4, 0, 256, 200, 'linear'),
    's2bnn/mobilenet_v2': ('Adam', 3e-4, 0, 256, 200, 'linear'),
    's2bnn/resnet50_swav_w4': ('Adam', 3e-4, 0, 512, 100, 'linear'),
    'simsiam/resnet50': ('SGD', 0.1, 1e-4, 512, 100, 'cosine'),
    'byol/resnet50': ('LARS', 3.2, 1.5e-6, 4096, 1000, 'cosine'),
    'byol/reactnet': ('LARS', 4.8, 1e-6, 4096, 600, 'cosine'),
    'byol/released_reactnet': ('LARS', 4.8, 1e-6, 128 * 8 * 8, 600, 'cosine'),
    'swav/resnet50': ('LARS', 4.8, 1e-6, 4096, 800, 'cosine'),
    'swav/resnet50_bs256': ('LARS', 0.6, 1e-6, 256, 200, 'cosine'),
    'swav/reactnet': ('LARS', 4.8, 1e-6, 4096, 400, 'cosine'),
    'burn/single_stage': ('Adam', 3e-4, 0, 4096, 200, 'cosine'),
    'burn/joint_classifier': ('Adam', 3e-4, 0, 4096, 200, 'cosine'),
    'burn/constant_balance': ('Adam', 3e-4, 0, 4096, 200, 'cosine'),
}


@pytest.mark.parametrize('name', SCHEDULES)
def test_optimiser_batch_and_epochs_are_the_published_ones(name: str) -> None:
    cfg, (optimiser, rate, decay, images, epochs, curve) = read(name), SCHEDULES[name]
    chosen = cfg.optim_wrapper.optimizer
    assert (chosen.type, chosen.weight_decay) == (optimiser, decay)
    assert chosen.lr == pytest.approx(rate, rel=1e-12)
    assert chosen.get('momentum', 0.9) == 0.9
    assert cfg.global_batch_size == images
    assert cfg.train_cfg.max_epochs == epochs
    assert cfg.schedules.lr.curve == curve
    assert images % cfg.train_dataloader.batch_size == 0


@pytest.mark.parametrize(
    ('name', 'conv', 'start'),
    [
        (f's2bnn/{mode}_{step}', conv, start)
        for mode in ('contrastive', 'contrastive_distillation', 'distillation')
        for step, conv, start in (
            ('step1', STEP1, None),
            ('step2', STEP2, f'work_dirs/selfsup/s2bnn/{mode}_step1/weights.pth'),
            ('one_step', STEP2, None),
        )
    ],
)
def test_s2bnn_has_two_steps_and_one(name: str, conv: dict, start: str | None) -> None:
    cfg = read(name)
    init = 'kaiming' if name.endswith('one_step') else 'torch'
    assert cfg.model.backbone.to_dict() == dict(type='ReActNet', conv_cfg=conv, init=init)
    assert cfg.get('load_from') == start
    if start:
        assert cfg.how_to_get.load_from == f'or train in one step: configs/selfsup/{name[: -len("step2")]}one_step.py'


@pytest.mark.parametrize(('name', 'views'), [('contrastive', 2), ('contrastive_distillation', 2), ('distillation', 1)])
def test_s2bnn_modes_differ_as_in_the_paper(name: str, views: int) -> None:
    cfg = read(f's2bnn/{name}_step2')
    model, head = cfg.model, cfg.model.head
    assert len(cfg.train_dataloader.dataset.views) == views
    assert list(head.projector.widths) == [1024, 128]
    assert head.projector.norm is None
    if name == 'contrastive':
        assert (model.type, head.temperature, model.teacher.momentum) == ('MoCo', 0.2, 0.999)
    else:
        assert (model.type, head.student_temperature, head.teacher_temperature) == ('S2BNN', 0.2, 0.2)
        assert model.teacher.checkpoint.endswith('moco_v2_800ep_pretrain.pth.tar')
    if name == 'contrastive_distillation':
        assert (head.contrastive_temperature, model.distillation_weight) == (0.2, 1.0)
        assert model.momentum_teacher.momentum == 0.999
    assert model.get('queue_length') == (None if name == 'distillation' else 65536)


#: views: scale of the crop, colour jitter (strength, how often), blur (how often), solarised (how often)
VIEWS: dict[str, list[tuple[Any, list[float], float, float, float]]] = {
    'moco/resnet50': [((0.2, 1.0), [0.4, 0.4, 0.4, 0.1], 0.8, 0.5, 0)] * 2,
    'moco/reactnet': [((0.2, 1.0), [0.4, 0.4, 0.4, 0.1], 0.8, 0.5, 0)] * 2,
    'simsiam/resnet50': [((0.2, 1.0), [0.4, 0.4, 0.4, 0.1], 0.8, 0.5, 0)] * 2,
    's2bnn/contrastive_step1': [((0.2, 1.0), [0.4, 0.4, 0.4, 0.1], 0.6, 0.2, 0)] * 2,
    's2bnn/contrastive_distillation_step1': [((0.2, 1.0), [0.4, 0.4, 0.4, 0.1], 0.6, 0.2, 0)] * 2,
    's2bnn/distillation_step1': [((0.2, 1.0), [0.4, 0.4, 0.4, 0.1], 0.6, 0.2, 0)],
    'burn/single_stage': [(None, [0.4, 0.4, 0.4, 0.1], 0.6, 0.2, 0)] * 2,
    'byol/resnet50': [(None, [0.4, 0.4, 0.2, 0.1], 0.8, 1.0, 0), (None, [0.4, 0.4, 0.2, 0.1], 0.8, 0.1, 0.2)],
    'swav/resnet50': [((0.14, 1.0), [0.8, 0.8, 0.8, 0.2], 0.8, 0.5, 0)] * 2
    + [((0.05, 0.14), [0.8, 0.8, 0.8, 0.2], 0.8, 0.5, 0)] * 6,
}


@pytest.mark.parametrize('name', VIEWS)
def test_views_are_the_published_ones(name: str) -> None:
    found = []
    for view in read(name).train_dataloader.dataset.views:
        parts = {part.type.removeprefix('torchvision/'): part for part in view}
        jitter = parts['RandomApply'].transforms[0]
        assert parts['RandomGrayscale'].p == 0.2
        assert tuple(parts['GaussianBlur'].sigma) == (0.1, 2.0)
        assert 'RandomHorizontalFlip' in parts
        scale = parts['RandomResizedCrop'].get('scale')
        found.append(
            (
                scale and tuple(scale),
                [jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue],
                parts['RandomApply'].p,
                parts['GaussianBlur'].p,
                parts['RandomSolarize'].p if 'RandomSolarize' in parts else 0,
            )
        )
    assert found == VIEWS[name]


def test_swav_follows_the_paper() -> None:
    cfg = read('swav/resnet50')
    sides = [view[0].size for view in cfg.train_dataloader.dataset.views]
    assert sides == [224] * 2 + [96] * 6
    head = cfg.model.head
    assert (head.prototypes, head.temperature, head.epsilon, head.sinkhorn_iterations) == (3000, 0.1, 0.05, 3)
    assert list(head.projector.widths) == [2048, 128]
    assert cfg.custom_hooks[0].frozen_iterations == 313
    lr = cfg.schedules.lr
    assert (lr.end, lr.warmup_epochs) == (0.0048, 10)
    assert lr.warmup_ratio * cfg.optim_wrapper.optimizer.lr == pytest.approx(0.3)
    few = read('swav/resnet50_bs256')
    assert (few.model.queue_length, few.schedules.lr.end, few.schedules.lr.warmup_epochs) == (3840, 0.0006, 0)
    assert few.custom_hooks[0].to_dict() == dict(type='PrototypeHook', frozen_iterations=5005, queue_start_epoch=15)


@pytest.mark.parametrize(('name', 'momentum'), [('byol/resnet50', 0.996), ('byol/reactnet', 0.99)])
def test_byol_follows_the_paper_and_burns_release(name: str, momentum: float) -> None:
    cfg = read(name)
    assert cfg.schedules.momentum.to_dict() == dict(target='teacher.momentum', curve='cosine', start=momentum, end=1.0)
    assert cfg.model.teacher.momentum == momentum
    assert list(cfg.model.head.projector.widths) == list(cfg.model.head.predictor.widths) == [4096, 256]
    assert cfg.optim_wrapper.paramwise_cfg.decay == 'weights'
    assert cfg.schedules.lr.warmup_epochs == 10


def released_rule(name: str) -> bool:
    """Whether BURN's release adapts and decays a parameter of its BYOL: its config's patterns, searched for."""
    return not any(re.search(spared, name) for spared in (r'(bn|gn)(\d+)?.(weight|bias)', 'bias'))


def test_byol_as_released_adapts_what_the_patterns_of_its_config_leave(tmp_path: Path) -> None:
    cfg = read('byol/released_reactnet')
    with torch.device('meta'):
        model = ALGORITHMS.build(cfg.model)
    wrapper_cfg = cfg.optim_wrapper.to_dict()
    paramwise = wrapper_cfg.pop('paramwise_cfg')
    groups = ParameterGroups(wrapper_cfg, paramwise)(model).optimizer.param_groups
    names = {parameter: name for name, parameter in model.named_parameters()}
    found = {names[weight]: group['weight_decay'] > 0 for group in groups for weight in group['params']}

    keys = json.loads((ROOT / 'tests/reference/burn_reactnet.keys.json').read_text())['keys']
    shapes = {key: torch.empty(shape, device='meta') for key, shape in keys.items()}
    ours = rename_all(CONVERSIONS['burn_reactnet'], shapes)
    trunk = {new: released_rule(old) for old, new in ours.items() if new in found}
    assert len(trunk) == sum(name.startswith('backbone.') for name in found)
    part = {'linear0': 'fc0', 'norm0': 'bn0', 'linear1': 'fc1'}  # NonLinearNeckSimCLR's
    heads = {
        name: released_rule(f'{part[name.split(".")[2]]}.{name.split(".")[3]}') for name in found if name not in trunk
    }
    assert found == {**trunk, **heads}
    assert found['backbone.blocks.1.pointwise.norms.1.weight']
    assert not found['backbone.blocks.2.pointwise.norms.0.weight']


def test_byol_as_released_synchronises_its_heads_and_starts_as_there() -> None:
    cfg = read('byol/released_reactnet')
    with torch.device('meta'):
        model = ALGORITHMS.build(cfg.model)
    norms = {name for name, module in model.named_modules() if isinstance(module, torch.nn.BatchNorm1d)}
    synchronise_batch_norm(model, cfg.sync_bn, on_gpu=True)
    synced = {name for name, module in model.named_modules() if isinstance(module, torch.nn.SyncBatchNorm)}
    assert synced == norms, 'the trunk has BatchNorm2d alone'
    assert synced == {'head.projector.norm0', 'head.predictor.norm0', 'teacher.head.norm0'}
    assert read('byol/reactnet').sync_bn is True
    starts = cfg.model.backbone.init, cfg.model.head.projector.init, cfg.model.head.predictor.init
    assert starts == ('kaiming_fan_in', 'kaiming', 'normal')
    released = read('burn/released_stage2').model.backbone
    assert cfg.model.backbone.conv_cfg.to_dict() == released.conv_cfg.to_dict()


def test_simsiam_follows_the_paper() -> None:
    head = read('simsiam/resnet50').model.head
    assert list(head.projector.widths) == [2048, 2048, 2048]
    assert (head.projector.last_norm, head.projector.last_norm_affine) == (True, False)
    assert list(head.predictor.widths) == [512, 2048]


def test_large_real_teacher_is_four_times_as_wide_everywhere() -> None:
    cfg = read('s2bnn/resnet50_swav_w4')
    assert list(cfg.model.teacher.backbone.widths) == [4 * width for width in (64, 128, 256, 512)]
    assert list(cfg.model.teacher.head.projector.widths) == [8192, 128]
    assert cfg.model.head.projector.widths[-1] == cfg.model.teacher.head.prototypes == 3000


BURN_ROWS = ('stage1', 'stage2', 'single_stage', 'joint_classifier', 'constant_balance', 'released_stage1')


@pytest.mark.parametrize('name', [*BURN_ROWS, 'released_stage2', 'released_digits'])
def test_burns_networks_start_as_in_its_release(name: str) -> None:
    """Convolutions by fan in, binary ones too; both classifiers by Kaiming; fc of the trunk as it comes."""
    model = read(f'burn/{name}').model
    starts = [part.get('init') for part in (model.backbone, model.head.projector, model.target_head, model.neck)]
    assert starts == ['kaiming_fan_in', 'kaiming', 'kaiming', None]


@pytest.mark.parametrize('name', ['stage1_digits', 'stage2_digits', 'single_stage_digits'])
def test_digits_of_burn_start_by_our_rule(name: str) -> None:
    model = read(f'burn/{name}').model
    assert not any('init' in part for part in (model.backbone, model.head.projector, model.target_head))


def test_burns_ablation_adds_one_term_a_row() -> None:
    joint, constant = read('burn/joint_classifier'), read('burn/constant_balance')
    dynamic = read('burn/single_stage')
    assert joint.model.head.feature_similarity is None
    assert constant.model.head.to_dict() == dynamic.model.head.to_dict()
    assert joint.schedules.kl_weight is constant.schedules.kl_weight is None
    assert dynamic.schedules.kl_weight.end == 0.3


def test_knn_validation_reads_the_labels_that_training_does_not() -> None:
    cfg = read('s2bnn/distillation_step2_knn')
    assert cfg.train_cfg.to_dict() == dict(type='EpochLoop', max_epochs=200, val_interval=20)
    assert 'labeled' not in cfg.train_dataloader.dataset
    bank, query = cfg.val_dataloader.dataset.bank, cfg.val_dataloader.dataset.query
    assert (bank.split, query.split, bank.labeled, query.labeled) == ('train', 'val', True, True)
    plain = read('s2bnn/distillation_step2')
    assert {key: cfg[key] for key in ('model', 'optim_wrapper', 'train_dataloader')} == {
        key: plain[key] for key in ('model', 'optim_wrapper', 'train_dataloader')
    }


def test_knn_bank_of_a_tenth_is_one_option_away() -> None:
    base = (ROOT / 'configs/_base_/datasets/imagenet_knn.py').read_text()
    option = base.split("--cfg-options '")[1].split("'\n\nTraining")[0]
    cfg = load_config(SELFSUP / 's2bnn/distillation_step2_knn', parse_options([' '.join(option.split())]))
    assert check_parts(cfg) == []
    assert sorted(cfg.val_dataloader.dataset.bank) == ['folder', 'list_file', 'num_classes', 'type']


@pytest.mark.parametrize('name', ['burn', 's2bnn'])
def test_recipes_hand_each_steps_weights_to_the_next(name: str) -> None:
    recipe = read_recipe(ROOT / f'configs/recipes/{name}.py')
    chosen = recipe.chosen()
    for before, after in pairwise(chosen):
        assert before.name in after.inputs.values()
    assert chosen[0].weights == 'multi'  # both heads go along to the second step
