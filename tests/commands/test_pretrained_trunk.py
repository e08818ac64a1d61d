"""Evaluation of a weights file: its own record says which trunk is built, and where the results go."""

import json
from pathlib import Path

import pytest
import torch

from binssl.checkpoints import CheckpointError, load_model, read_checkpoint, write_checkpoint
from binssl.engine import testing
from binssl.engine.training import parse_training, train, training_config
from binssl.engine.weights import write_initial_weights
from binssl.registry import ConfigError

LINEAR = 'configs/benchmarks/linear_classification/digits.py'
SMALL = """
_base_ = ['{base}']
model = dict(
    backbone=dict(channels=[8, 8, 16], strides=[1, 2]),
    neck=dict(in_channels=16, widths=[128]),
)
"""


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    config = tmp_path / 'small.py'
    config.write_text(SMALL.format(base=Path('configs/selfsup/burn/stage2_digits.py').resolve()))
    out = tmp_path / 'stage2' / 'weights.pth'
    write_initial_weights(config, out)
    return out


def test_config_takes_the_trunk_of_the_file_and_a_folder_of_its_own(weights: Path) -> None:
    cfg = training_config(parse_training([LINEAR, '--pretrained', str(weights)]))
    assert list(cfg.model.backbone.channels) == [8, 8, 16]
    assert cfg.model.neck.widths == [128]
    assert 'stage2_weights_' in cfg.work_dir


def test_another_trunk_in_the_config_is_refused(weights: Path) -> None:
    other = parse_training(
        [
            LINEAR,
            '--pretrained',
            str(weights),
            '--cfg-options',
            'model.backbone=dict(type="ReActNet", channels=[8, 16], strides=[1])',
        ]
    )
    with pytest.raises(ConfigError, match='holds another network than the config: backbone'):
        training_config(other)


def test_a_file_with_a_head_alone_is_refused_in_a_sentence(weights: Path, tmp_path: Path) -> None:
    content = read_checkpoint(weights)
    content['state_dict'] = {'head.fc.weight': torch.ones(10, 128)}
    write_checkpoint(content, tmp_path / 'head.pth')
    with pytest.raises(CheckpointError, match=r'head\.pth holds no trunk to start from, but head; take the checkpoint'):
        train(parse_training([LINEAR, '--pretrained', str(tmp_path / 'head.pth'), '--work-dir', str(tmp_path / 'run')]))


def test_linear_evaluation_leaves_the_trunk_as_it_was_to_the_bit(weights: Path, tmp_path: Path) -> None:
    run = tmp_path / 'linear'
    train(
        parse_training(
            [
                LINEAR,
                '--pretrained',
                str(weights),
                '--work-dir',
                str(run),
                '--cfg-options',
                'train_cfg.max_epochs=2',
                'train_cfg.val_interval=2',
            ]
        )
    )
    trunk = {k: v for k, v in load_model(weights).state_dict().items() if k.startswith(('backbone', 'neck'))}
    after = read_checkpoint(run / 'latest.pth')['state_dict']
    assert trunk
    assert all(torch.equal(after[key], value) for key, value in trunk.items())
    assert not torch.equal(after['head.fc.weight'], torch.zeros_like(after['head.fc.weight']))


def test_a_test_of_another_network_than_the_config_describes_says_so(weights: Path, tmp_path: Path) -> None:
    base = str(Path('configs/benchmarks/features/digits.py').resolve())
    backbone = "dict(type='ReActNet', channels=[8, 16], strides=[1])"
    for name, model in (('other', f'model = dict(type="Encoder", backbone={backbone})\n'), ('open', '')):
        (tmp_path / f'{name}.py').write_text(f'_base_ = [{base!r}]\n{model}')
        config = str(tmp_path / f'{name}.py')
        testing.test(testing.parse_testing([config, str(weights), '--work-dir', str(tmp_path / name)]))
        (log,) = (tmp_path / name).glob('*/*.log')
        told = 'not that of the config: backbone.channels: [8, 8, 16] in the file, [8, 16] in the config'
        assert (told in log.read_text()) == (name == 'other')


def test_a_second_stage_goes_on_from_a_file_with_heads(weights: Path, tmp_path: Path) -> None:
    head, stage = write_head(weights, tmp_path / 'heads.pth'), 'configs/selfsup/burn/stage2_digits.py'
    cfg = training_config(parse_training([stage, '--pretrained', str(head)]))
    assert (cfg.load_from, cfg.get('pretrained')) == (str(head), None)
    cfg = training_config(parse_training([LINEAR, '--pretrained', str(head)]))  # nothing to go on from: the trunk
    assert (cfg.get('load_from'), cfg.pretrained) == (None, str(head))


def write_head(weights: Path, out: Path) -> Path:
    content = read_checkpoint(weights)
    model = {**json.loads(content['meta']['model']), 'head': dict(type='LinearHead', num_classes=10, in_channels=128)}
    content['state_dict'].update({'head.fc.weight': torch.ones(10, 128), 'head.fc.bias': torch.ones(10)})
    content['meta']['model'] = json.dumps(model)
    write_checkpoint(content, out)
    return out


def test_an_option_of_the_model_is_refused_in_a_test(weights: Path) -> None:
    config = 'configs/benchmarks/features/digits.py'
    with pytest.raises(ConfigError, match=r'model\.backbone\.channels would change nothing: a test takes the network'):
        testing.test(testing.parse_testing([config, str(weights), '--cfg-options', 'model.backbone.channels=[8]']))
