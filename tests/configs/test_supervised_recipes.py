"""Networks, views and steps of the supervised configs are the published ones (from the papers and their code)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from configs.published import BIREAL_STEPS, PUBLISHED, ROOT, read

from binssl.engine.config import load_config
from binssl.recipes.recipe import read_recipe
from binssl.views.build import BATCH, ONE_IMAGE, build_views

RELEASED_NOISE = dict(type='Lighting', alphastd=0.1, as_released=True)


@pytest.mark.parametrize(('depth', 'first', 'milestones'), [(18, 0.01, [10, 15]), (34, 0.08, [20, 30])])
def test_bireal_step_by_step_follows_the_paper(depth: int, first: float, milestones: list[int]) -> None:
    chain = [read(f'bireal/resnet{depth}_stepwise_{step}') for step in BIREAL_STEPS]
    convs = [cfg.model.backbone.conv_cfg.to_dict() for cfg in chain]
    assert [conv['activation'] for conv in convs] == [
        dict(type='ReLU'),
        dict(type='LeakyClip', slope=0.1),
        dict(type='Clip'),
        dict(type='ApproxSign'),
        dict(type='ApproxSign'),
    ]
    assert [conv.get('weight') for conv in convs] == [
        None,
        None,
        None,
        dict(type='ScaledSign', ste='clip', scale_gradient=True),
        dict(type='BoxSign'),
    ]
    binary, norms = chain[3:]
    assert binary.schedules.lr.to_dict() == dict(target='lr', curve='step', milestones=milestones, gamma=0.1)
    assert binary.optim_wrapper.optimizer.lr == first
    assert (norms.model.learns, norms.train_cfg.max_epochs) == ('norms', 1)
    assert not any('learns' in cfg.model for cfg in chain[:4])


CROP = 'torchvision/RandomResizedCrop'
VIEWS: dict[str, list[dict[str, Any]]] = {
    'bireal/resnet18_scratch': [dict(type=CROP, size=224, scale=(0.08, 1.0)), RELEASED_NOISE],
    'reactnet/reactnet_a_step1': [dict(type=CROP, size=224, scale=(0.08, 1.0)), RELEASED_NOISE],
    'recu/imagenet_resnet18': [dict(type=CROP, size=224, scale=(0.08, 1.25)), RELEASED_NOISE],
    'recu/imagenet_twostage_step2': [dict(type=CROP, size=224, scale=(0.08, 1.25)), RELEASED_NOISE],
    'bireal/resnet34_stepwise_binary': [
        dict(type='torchvision/Resize', size=256),
        dict(type='torchvision/RandomCrop', size=224),
    ],
    'bireal/xnor_resnet18': [
        dict(type='torchvision/RandomShortestSize', min_size=[*range(256, 481, 32)]),
        dict(type='torchvision/RandomCrop', size=224),
    ],
    'recu/cifar100_resnet18': [dict(type='BatchCrop', size=32, padding=4)],
    'recu/tinyimagenet_resnet18': [dict(type='BatchResize', size=224), dict(type='BatchRotate', degrees=20.0)],
}


@pytest.mark.parametrize('name', VIEWS)
def test_views_are_the_published_ones(name: str) -> None:
    (view,) = read(name).train_dataloader.dataset.views
    *found, flip = (part.to_dict() for part in view)
    assert found == VIEWS[name]
    assert flip.pop('type') in ('torchvision/RandomHorizontalFlip', 'PhotoFlip')
    assert flip in ({}, dict(p=0.5))  # the default of both


@pytest.mark.parametrize('name', PUBLISHED)
def test_views_can_be_built(name: str) -> None:
    for loader in (read(name).train_dataloader, read(name).val_dataloader):
        takes = ONE_IMAGE if loader.dataset.type == 'ImageNet' else BATCH
        assert len(build_views(loader.dataset.get('views', [[]]), owner='', takes=takes)) == 1


@pytest.mark.parametrize(
    ('name', 'mean', 'std', 'classes'),
    [
        ('recu/cifar10_vgg_small', (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 10),
        ('recu/cifar100_vgg_small', (0.507, 0.487, 0.441), (0.267, 0.256, 0.276), 100),
        ('recu/tinyimagenet_resnet34', (0.4802, 0.4481, 0.3975), (0.2302, 0.2265, 0.2262), 200),
        ('reactnet/reactnet_a_step1', (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 1000),
    ],
)
def test_normalisation_and_classes_are_those_of_the_data(name: str, mean: tuple, std: tuple, classes: int) -> None:
    model = read(name).model
    assert model.data_preprocessor.mean == pytest.approx([255 * value for value in mean])
    assert model.data_preprocessor.std == pytest.approx([255 * value for value in std])
    assert model.head.num_classes == classes


@pytest.mark.parametrize('name', [name for name in PUBLISHED if name.startswith('reactnet') or 'twostage' in name])
def test_two_steps_learn_from_torchvisions_resnet34_alone(name: str) -> None:
    model = read(name).model
    assert model.teacher.backbone.to_dict() == dict(type='TorchvisionModel', name='resnet34')
    assert model.teacher.checkpoint.endswith('resnet34-b627a593.pth')
    assert model.get('soft_label_weight', 1) == 1
    assert 'label_smoothing' not in model.head
    assert model.backbone.conv_cfg.get('weight') is None or 'step2' in name


def test_bireal_from_scratch_smooths_its_labels() -> None:
    assert [read(f'bireal/resnet{depth}_scratch').model.head.label_smoothing for depth in (18, 34, 50)] == [0.1] * 3


def test_best_epoch_is_kept() -> None:
    for name in PUBLISHED:
        cfg = read(name)
        assert cfg.default_hooks['checkpoint']['save_best'] == 'top1'
        assert cfg.val_evaluator == cfg.test_evaluator == [dict(type='Accuracy', topk=(1, 5))]
        assert cfg.test_dataloader == cfg.val_dataloader


RECIPES = ('bireal18_stepwise', 'bireal34_stepwise', 'bireal50_stepwise', 'reactnet_a', 'reactnet18', 'recu_twostage')


@pytest.mark.parametrize('name', RECIPES)
def test_recipes_hand_all_weights_from_step_to_step(name: str) -> None:
    chosen = [step for step in read_recipe(ROOT / f'configs/recipes/{name}.py').chosen() if step.kind == 'train']
    assert len(chosen) == (5 if 'stepwise' in name else 2)
    for before, after in pairwise(chosen):
        assert dict(after.inputs) == dict(load_from=before.name)
        assert before.weights == 'multi'
        first = before.config.replace('configs', 'work_dirs', 1).replace('.py', '/weights.pth')
        assert load_config(ROOT / after.config).load_from == first
