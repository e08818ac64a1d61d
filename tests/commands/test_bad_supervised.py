"""What a person can get wrong with the supervised recipes: told at the door, by the commands' own configs."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up_cifar import write_cifar10, write_cifar100
from methods.random_weights import write_random

from binssl.engine.config import load_config
from binssl.engine.experiment import plain
from binssl.engine.training import parse_training, train
from binssl.registry import ALGORITHMS, ConfigError

CONFIGS = 'configs/supervised'
RECU = f'{CONFIGS}/recu/resnet20_digits.py'
STEP_1 = f'{CONFIGS}/reactnet/resnet18_step1_digits.py'
STEP_2 = f'{CONFIGS}/reactnet/resnet18_step2_digits.py'


def message(config: str, folder: Path, *options: str, check: bool = True) -> str:
    """What ``tools/train.py`` would print after ``error: ``; nothing is left behind."""
    flags = ['--check', '1'] if check else []
    with pytest.raises(ConfigError) as caught:
        train(parse_training([config, *flags, '--work-dir', str(folder / 'run'), '--cfg-options', *options]))
    assert not list((folder / 'run').glob('*.pth'))
    return str(caught.value)


def weights_of(config: str, path: Path, **changes: int) -> str:
    """A file as a step hands it on, of random weights of the network of ``config`` with ``changes``."""
    model = plain(load_config(config).model.to_dict())
    model.pop('teacher', None)
    model['head'].update(changes)
    write_random(model, str(path))
    return str(path)


@pytest.mark.parametrize('check', [True, False])
@pytest.mark.parametrize('option', ['start=0.5', 'end=1.2', 'start=-1.0'])
def test_tau_that_leaves_its_range(option: str, check: bool, tmp_path: Path) -> None:
    answer = message(RECU, tmp_path, f'schedules.tau.{option}', check=check)
    assert option.split('=')[1] in answer
    assert 'tau' in answer
    assert 'must be above 0.5' in answer
    assert 'must be above 0.5' in message(RECU, tmp_path, 'model.backbone.conv_cfg.weight.tau=0.3')


@pytest.mark.parametrize('check', [True, False])
def test_head_with_fewer_classes_than_the_data(check: bool, tmp_path: Path) -> None:
    answer = message(RECU, tmp_path, 'model.head.num_classes=5', check=check)
    assert answer.endswith(
        'the training data have 10 classes, the head 5: change model.head.num_classes or '
        'train_dataloader.dataset.num_classes'
    )


def test_tau_of_nothing_and_a_curve_that_never_begins(tmp_path: Path) -> None:
    assert "called 'backbone.*.tauu'" in message(RECU, tmp_path, 'schedules.tau.target=backbone.*.tauu')
    assert 'begin_epoch is 4, and the training has 3' in message(RECU, tmp_path, 'train_cfg.max_epochs=3')


def test_teacher_of_other_classes(tmp_path: Path) -> None:
    twin = f'{CONFIGS}/reactnet/resnet18_real_digits.py'
    teacher = weights_of(twin, tmp_path / 'teacher.pth', num_classes=7)
    answer = message(STEP_1, tmp_path, f'model.teacher.checkpoint={teacher}', 'model.teacher.head.num_classes=7')
    assert '7' in answer
    assert '10' in answer
    assert 'teacher' in answer


@pytest.mark.parametrize('check', [True, False])
def test_step_1_that_does_not_fit(check: bool, tmp_path: Path) -> None:
    twin = f'{CONFIGS}/reactnet/resnet18_real_digits.py'
    teacher = weights_of(twin, tmp_path / 'teacher.pth')
    other = weights_of(f'{CONFIGS}/recu/twostage_step1_digits.py', tmp_path / 'step1.pth')
    files = f'model.teacher.checkpoint={teacher}', f'load_from={other}'
    assert 'scale.alpha' in message(STEP_2, tmp_path, *files, check=check)


def test_data_of_another_set_and_half_of_a_set(tmp_path: Path) -> None:
    write_cifar100(tmp_path / 'hundred')
    (half,) = write_cifar10(tmp_path / 'half').iterdir()
    (half / 'data_batch_3.bin').unlink()
    config = f'{CONFIGS}/recu/cifar10_resnet20.py'
    assert 'CIFAR-100' in message(config, tmp_path, f'train_dataloader.dataset.root={tmp_path}/hundred')
    assert 'data_batch_3.bin' in message(config, tmp_path, f'train_dataloader.dataset.root={tmp_path}/half')


def test_classes_of_the_validation_are_those_of_the_training(tmp_path: Path) -> None:
    write_cifar10(tmp_path / 'ten')
    write_cifar100(tmp_path / 'hundred')
    ten = f'train_dataloader.dataset.root={tmp_path}/ten'
    hundred = f'val_dataloader.dataset=dict(type="CIFAR100",split="test",root="{tmp_path}/hundred")'
    answer = message(f'{CONFIGS}/recu/cifar10_resnet20.py', tmp_path, ten, hundred)
    assert 'train_dataloader.dataset has 10 classes and val_dataloader.dataset 100' in answer


@pytest.mark.parametrize(
    ('config', 'size'),
    [(RECU, 1), (f'{CONFIGS}/recu/vgg_small_digits.py', 7), (f'{CONFIGS}/bireal/resnet50_scratch_digits.py', 1)],
)
def test_input_too_small_for_the_plan(config: str, size: int) -> None:
    model = plain(load_config(config, {'model.backbone.input_size': size}).model.to_dict())
    with pytest.raises(ConfigError, match=f'images of {size} x {size} px are too small for this plan'):
        ALGORITHMS.build(model)
