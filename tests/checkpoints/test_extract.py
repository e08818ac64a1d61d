"""What is taken out of a training checkpoint, and that it is the same network."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest
import torch

import binssl
from binssl.checkpoints import MULTI_STAGE, CheckpointError, extract_weights, read_checkpoint, write_checkpoint
from binssl.core.files import file_sha256
from binssl.registry import ALGORITHMS

TOOLS = Path(__file__).parents[2] / 'tools'
BACKBONE = dict(type='ReActNet', channels=[8, 16], strides=[1], stem_stride=1)
NECK = dict(type='PoolMLP', in_channels=16, widths=[12], norm=None, last_activation=True)
PREPROCESSOR = dict(type='ImageNormalizer', mean=[127.5] * 3, std=[127.5] * 3)
TRUNK = dict(backbone=BACKBONE, neck=NECK, data_preprocessor=PREPROCESSOR)
IMAGES = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def mlp(width: int) -> dict:
    return dict(type='MLP', in_channels=width, widths=[10, 6])


def teacher_file(folder: Path) -> str:
    """A weights file for BURN's frozen teacher: a backbone of 16 channels."""
    model = dict(type='Encoder', backbone=BACKBONE)
    weights = ALGORITHMS.build(dict(model)).state_dict()
    write_checkpoint(
        {'format_version': 1, 'state_dict': weights, 'meta': {'model': json.dumps(model)}}, folder / 'teacher.pth'
    )
    return str(folder / 'teacher.pth')


def algorithm(name: str, folder: Path) -> dict:
    """The config of a small model of each algorithm."""
    if name == 'BURN':
        teacher = dict(type='FrozenTeacher', backbone=BACKBONE, checkpoint=teacher_file(folder))
        head = dict(type='BURNHead', projector=mlp(12), feature_similarity='outputs')
        return dict(type='BURN', **TRUNK, head=head, teacher=teacher, target_head=mlp(16))
    if name == 'MoCo':
        head = dict(type='ContrastiveHead', projector=mlp(12))
        return dict(type='MoCo', **TRUNK, head=head, teacher=dict(type='MomentumTeacher'), queue_length=32)
    head = dict(type='LinearHead', num_classes=4, in_channels=12)
    return dict(type='Classifier', **TRUNK, head=head, frozen=['backbone', 'neck'])


def train_checkpoint(name: str, folder: Path) -> tuple[torch.nn.Module, Path]:
    """A model that has seen a batch, and its checkpoint as the runner writes it."""
    torch.manual_seed(0)
    config = algorithm(name, folder)
    model = ALGORITHMS.build(dict(config)).train()
    model.extract(torch.randn(4, 3, 8, 8))  # moves the running statistics
    meta = {'model': json.dumps(config), 'config': '{}', 'epoch': 2, 'iter': 20, 'seed': 7}
    content = {'format_version': 1, 'state_dict': model.state_dict(), 'meta': meta}
    write_checkpoint({**content, 'optimizer': {'state': {}}}, folder / 'latest.pth')
    return model.eval(), folder / 'latest.pth'


@pytest.fixture(params=['BURN', 'MoCo', 'Classifier'])
def trained(request, tmp_path):
    return (request.param, *train_checkpoint(request.param, tmp_path))


def parts(path: Path) -> set[str]:
    return {key.split('.')[0] for key in read_checkpoint(path)['state_dict']}


def test_a_training_checkpoint_loads_as_the_trained_network(trained):
    name, model, path = trained
    loaded = binssl.load_model(path)
    assert type(loaded).__name__ == ('Classifier' if name == 'Classifier' else 'Encoder')
    assert not any(module.training for module in loaded.modules())
    with torch.no_grad():
        assert torch.equal(loaded(IMAGES), model(IMAGES, mode='tensor'))


def test_the_trunk_is_extracted_alone(trained, tmp_path):
    name, model, path = trained
    report = extract_weights(path, tmp_path / 'new' / 'weights.pth')
    assert parts(tmp_path / 'new' / 'weights.pth') == {'backbone', 'neck'}
    loaded = binssl.load_model(tmp_path / 'new' / 'weights.pth')
    assert type(loaded).__name__ == 'Encoder'
    with torch.no_grad():
        assert torch.equal(loaded(IMAGES), model.extract(IMAGES))
    left = {'BURN': 'head, target_head', 'MoCo': 'queue, head, teacher', 'Classifier': 'head'}
    assert set(report.split('left out: ')[1].split('\n')[0].split(', ')) == set(left[name].split(', '))


def test_the_next_stage_gets_trunk_and_heads_but_no_copy_or_queue(trained, tmp_path):
    name, model, path = trained
    extract_weights(path, tmp_path / 'multi.pth', MULTI_STAGE)
    expected = {'backbone', 'neck', 'head'} | ({'target_head'} if name == 'BURN' else set())
    assert parts(tmp_path / 'multi.pth') == expected
    weights = read_checkpoint(tmp_path / 'multi.pth')['state_dict']
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in weights.items())
    with torch.no_grad():
        assert torch.equal(binssl.load_model(tmp_path / 'multi.pth')(IMAGES), model(IMAGES, mode='tensor'))


def test_the_file_says_what_it_is_and_where_it_comes_from(trained, tmp_path):
    name, _, path = trained
    extract_weights(path, tmp_path / 'weights.pth')
    content = read_checkpoint(tmp_path / 'weights.pth')
    meta = content['meta']
    assert content['format_version'] == 1
    assert meta['kind'] == 'weights'
    assert meta['sha256_source'] == file_sha256(path)
    assert (meta['algorithm'], meta['epoch'], meta['iter'], meta['seed']) == (name, 2, 20, 7)
    assert json.loads(meta['model']) == dict(type='Encoder', **TRUNK)


def test_weights_files_can_be_extracted_again(tmp_path):
    _, path = train_checkpoint('BURN', tmp_path)
    extract_weights(path, tmp_path / 'multi.pth', MULTI_STAGE)
    extract_weights(tmp_path / 'multi.pth', tmp_path / 'trunk.pth')
    extract_weights(path, tmp_path / 'direct.pth')
    twice, once = (read_checkpoint(tmp_path / name) for name in ('trunk.pth', 'direct.pth'))
    assert twice['state_dict'].keys() == once['state_dict'].keys()
    assert twice['meta']['algorithm'] == 'BURN'
    with pytest.raises(CheckpointError, match='has no head to hand to a next stage'):
        extract_weights(tmp_path / 'trunk.pth', tmp_path / 'b.pth', MULTI_STAGE)


def test_a_network_without_weights_is_a_network(tmp_path):
    model = dict(type='Encoder', backbone=dict(type='Pixels'), neck=dict(type='PoolMLP', pool='flatten'))
    write_checkpoint(
        {'format_version': 1, 'state_dict': {}, 'meta': {'model': json.dumps(model)}}, tmp_path / 'pixels.pth'
    )
    assert torch.equal(binssl.load_model(tmp_path / 'pixels.pth')(IMAGES), IMAGES.flatten(1))


def test_loading_leaves_the_random_numbers_alone(tmp_path):
    _, path = train_checkpoint('Classifier', tmp_path)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    binssl.load_model(path)
    assert torch.equal(torch.rand(1), expected)


def test_double_precision_works(tmp_path):
    _, path = train_checkpoint('BURN', tmp_path)
    assert binssl.load_model(path).double()(IMAGES.double()).dtype == torch.float64


def test_an_existing_file_is_kept_unless_forced(tmp_path):
    _, path = train_checkpoint('Classifier', tmp_path)
    (tmp_path / 'weights.pth').write_text('precious')
    with pytest.raises(CheckpointError, match=r'weights\.pth exists; .*--force'):
        extract_weights(path, tmp_path / 'weights.pth')
    assert (tmp_path / 'weights.pth').read_text() == 'precious'
    extract_weights(path, tmp_path / 'weights.pth', force=True)
    assert parts(tmp_path / 'weights.pth') == {'backbone', 'neck'}


@pytest.mark.parametrize('force', [False, True])
def test_the_source_is_never_written_over(tmp_path, force):
    _, path = train_checkpoint('Classifier', tmp_path)
    before = file_sha256(path)
    (tmp_path / 'link.pth').symlink_to(path)
    for out in (path, tmp_path / 'link.pth'):
        with pytest.raises(CheckpointError, match='the source itself'):
            extract_weights(path, out, force=force)
    assert file_sha256(path) == before


def test_a_folder_as_output_is_an_error(tmp_path):
    _, path = train_checkpoint('Classifier', tmp_path)
    with pytest.raises(CheckpointError, match='is a folder'):
        extract_weights(path, tmp_path, force=True)


def test_a_published_file_is_sent_to_the_converter(tmp_path):
    torch.save({'state_dict': {'conv1.weight': torch.zeros(1)}}, tmp_path / 'published.pth')
    for step in (binssl.load_model, lambda path: extract_weights(path, tmp_path / 'out.pth')):
        with pytest.raises(CheckpointError, match='convert_checkpoint'):
            step(tmp_path / 'published.pth')


def test_a_later_format_is_refused(tmp_path):
    _, path = train_checkpoint('Classifier', tmp_path)
    content = read_checkpoint(path)
    write_checkpoint({**content, 'format_version': 2}, tmp_path / 'later.pth')
    with pytest.raises(CheckpointError, match='has format 2, this binssl reads up to 1'):
        binssl.load_model(tmp_path / 'later.pth')


@pytest.mark.parametrize('part', ['backbone', 'data_preprocessor'])
def test_an_import_path_in_a_file_is_refused_and_runs_nothing(tmp_path, part):
    canary = tmp_path / 'canary'
    attack = dict(type='subprocess.getoutput', cmd=f'touch {canary}')
    model = {'type': 'Encoder', 'backbone': BACKBONE, part: attack}
    content = {'format_version': 1, 'state_dict': {'a': torch.zeros(1)}, 'meta': {'model': json.dumps(model)}}
    write_checkpoint(content, tmp_path / 'evil.pth')
    for step in (binssl.load_model, lambda path: extract_weights(path, tmp_path / 'out.pth')):
        with pytest.raises(CheckpointError, match=r"refused: .*'subprocess\.getoutput', an import path"):
            step(tmp_path / 'evil.pth')
    assert not canary.exists()


@pytest.mark.parametrize('text', ['{"type": ', '[1]'])
def test_a_damaged_model_config_says_so(tmp_path, text):
    write_checkpoint({'format_version': 1, 'state_dict': {}, 'meta': {'model': text}}, tmp_path / 'bad.pth')
    with pytest.raises(CheckpointError, match='is damaged: the config of its model'):
        binssl.load_model(tmp_path / 'bad.pth')


@pytest.mark.parametrize(
    'damage',
    [
        lambda weights: weights.pop('neck.mlp.linear0.bias'),
        lambda weights: weights.update({'backbone.other': torch.zeros(1)}),
    ],
    ids=['missing', 'unexpected'],
)
def test_weights_that_do_not_fit_their_config_are_a_table_and_no_file(tmp_path, damage):
    _, path = train_checkpoint('Classifier', tmp_path)
    content = read_checkpoint(path)
    damage(content['state_dict'])
    write_checkpoint(content, tmp_path / 'bad.pth')
    for step in (binssl.load_model, lambda path: extract_weights(path, tmp_path / 'out.pth')):
        with pytest.raises(CheckpointError, match=r'bad\.pth: the weights do not fit the model') as caught:
            step(tmp_path / 'bad.pth')
        assert '(1):' in str(caught.value)
    assert not (tmp_path / 'out.pth').exists()


@pytest.mark.parametrize(
    ('tool', 'expected'),
    [
        ('extract_weights', {'backbone', 'neck'}),
        ('extract_weights_for_multi', {'backbone', 'neck', 'head', 'target_head'}),
    ],
)
def test_the_commands_write_and_print_a_table(tmp_path, monkeypatch, capsys, tool, expected):
    _, path = train_checkpoint('BURN', tmp_path)
    monkeypatch.setattr(sys, 'argv', [tool, str(path), str(tmp_path / 'out.pth')])
    runpy.run_path(str(TOOLS / f'{tool}.py'), run_name='__main__')
    assert parts(tmp_path / 'out.pth') == expected
    table = capsys.readouterr().out
    assert all(part in table for part in expected)
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(TOOLS / f'{tool}.py'), run_name='__main__')
    assert stopped.value.code == 1
    assert 'exists' in capsys.readouterr().err


def test_a_missing_checkpoint_ends_the_command_with_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['extract_weights.py', 'none.pth', 'out.pth'])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(TOOLS / 'extract_weights.py'), run_name='__main__')
    assert ended.value.code == 1
    assert capsys.readouterr().err == 'error: there is no checkpoint none.pth\n'
