"""A damaged or hostile checkpoint is one CheckpointError, or what it was: never a crash, code or other numbers."""

from __future__ import annotations

import itertools
import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from damaged_files import BAD, CENTRAL, KINDS, damaged, outcome, saved
from engine.runs import build, classifier, run

import binssl
from binssl.checkpoints import CheckpointError, extract_weights, read_checkpoint, write_checkpoint
from binssl.engine.training_state import resume_training
from binssl.engine.weights import start_from_trunk
from binssl.registry import ALGORITHMS

SCHEDULED = dict(
    schedules=None,
    param_scheduler=[dict(type='CosineAnnealingLR', T_max=2)],
    default_hooks__checkpoint=dict(type='CheckpointHook', interval_iters=2, max_keep_ckpts=9),
)


@pytest.fixture(scope='module')
def trained(tmp_path_factory) -> Path:
    """The checkpoint of a classifier in the middle of its second epoch."""
    folder = tmp_path_factory.mktemp('trained')
    run(classifier(folder, **SCHEDULED))
    return folder / 'run/iter_6.pth'


@pytest.fixture
def rewritten(trained, tmp_path) -> Callable[..., Path]:
    """Writes the checkpoint again, with other entries of its meta, and of its model."""

    def write(model: Callable[[dict], Any] | None = None, **meta: Any) -> Path:
        content = read_checkpoint(trained)
        config = json.loads(content['meta']['model'])
        if model is not None:
            model(config)
        content['meta'].update(model=json.dumps(config))
        content['meta'].update(meta)
        (tmp_path / 'changed.pth').write_bytes(saved(content))
        return tmp_path / 'changed.pth'

    return write


@pytest.mark.parametrize('kind', range(len(KINDS)), ids=lambda kind: f'{kind}-{KINDS[kind].__name__}')
def test_a_damaged_file_is_refused_or_gives_the_weights_that_it_had(trained, tmp_path, kind):
    data, right = trained.read_bytes(), binssl.load_model(trained).state_dict()
    ended = set()
    for seed in range(kind, 10 * len(KINDS), len(KINDS)):
        (tmp_path / 'damaged.pth').write_bytes(damaged(data, seed)[1])
        ended.add(outcome(tmp_path / 'damaged.pth', right))
    assert ended <= {'refused', 'right'}
    if KINDS[kind].__name__ in ('cut', 'mark_folder'):  # of the others, some hit what nobody reads
        assert ended == {'refused'}


def test_a_damaged_training_is_refused_or_goes_on_as_it_was(trained, tmp_path):
    data, folder = trained.read_bytes(), trained.parents[1]
    runner = build(classifier(folder, **{**SCHEDULED, 'work_dir': str(tmp_path)}))
    runner.optim_wrapper  # noqa: B018  # what runner.train() makes of the config
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)

    def resume(path: Path) -> tuple:
        place = resume_training(runner, path)
        return place, runner.model.state_dict(), runner.optim_wrapper.optimizer.state_dict()['state']

    place, weights, states = resume(trained)
    assert place == (1, 6)
    weights, states = ({key: _copied(value) for key, value in kept.items()} for kept in (weights, states))
    refused = 0
    for seed in [seed for seed in range(15 * len(KINDS)) if KINDS[seed % len(KINDS)].__name__.startswith('change')]:
        (tmp_path / 'damaged.pth').write_bytes(damaged(data, seed)[1])
        try:
            again = resume(tmp_path / 'damaged.pth')
        except CheckpointError:
            refused += 1
            continue
        assert again[0] == place, seed
        assert all(torch.equal(value, weights[key]) for key, value in again[1].items()), seed
        # a parameter without a state is one that had no gradient yet: an entry that is gone cannot be told
        assert all(_same(state, states[key]) for key, state in again[2].items()), seed
    assert refused > 15


def _copied(value: Any) -> Any:
    return {key: item.clone() for key, item in value.items()} if isinstance(value, dict) else value.clone()


def _same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[key]) for key, value in one.items())


@pytest.mark.parametrize('key', ['epoch', 'iter', 'epoch_length', 'seed', 'world_size', 'threads', 'max_epochs'])
def test_a_counter_of_another_kind_is_refused_wherever_it_is_read(rewritten, trained, tmp_path, key):
    runner = build(classifier(trained.parents[1], **{**SCHEDULED, 'work_dir': str(tmp_path)}))
    readers = (
        binssl.load_model,
        lambda path: extract_weights(path, tmp_path / 'out.pth'),
        lambda path: resume_training(runner, path),
    )
    bad = [value for value in BAD if not (type(value) is int and 0 <= value < 2**40)]
    for value, read in zip(bad, itertools.cycle(readers), strict=False):
        with pytest.raises(CheckpointError, match=r'changed\.pth'):
            read(rewritten(**{key: value}))
    assert not (tmp_path / 'out.pth').exists()


def test_counters_that_contradict_each_other_are_refused(rewritten, trained, tmp_path):
    runner = build(classifier(trained.parents[1], **{**SCHEDULED, 'work_dir': str(tmp_path)}))
    for changes in (dict(epoch=10**9), dict(iter=0), dict(iter=10**6), dict(epoch=2), dict(epoch=None)):
        with pytest.raises(CheckpointError, match='is damaged: it'):
            resume_training(runner, rewritten(**changes))


def test_a_record_marked_as_a_folder_is_refused(tmp_path):
    write_checkpoint({'weight': torch.arange(100.0)}, tmp_path / 'a.pth')
    data = bytearray((tmp_path / 'a.pth').read_bytes())
    place = next(at for at in range(len(data)) if data.startswith(CENTRAL, at) and b'data/0' in data[at : at + 80])
    struct.pack_into('<I', data, place + 38, 0x10)
    (tmp_path / 'a.pth').write_bytes(data)
    with pytest.raises(CheckpointError, match='marked as a folder'):
        read_checkpoint(tmp_path / 'a.pth')


@pytest.mark.parametrize(
    'attack',
    [
        lambda model: model['backbone'].update(_scope_='evil'),
        lambda model: model['backbone']['conv_cfg'].update(_scope_='evil'),
        lambda model: model['neck'].update(_scope_='evil'),
        lambda model: model['data_preprocessor'].update(_scope_='evil'),
        lambda model: model.update(type='evil.Model'),
        lambda model: model['backbone'].update(type='evil.Model'),
        lambda model: model['backbone'].update(type='evil'),
        lambda model: model['backbone'].update(conv_cfg=dict(type='evil')),
        lambda model: model['head'].update(type='evil'),
        lambda model: model['head'].update(norm=[dict(type='evil.Model')]),
        lambda model: model.update(data_preprocessor=dict(type='evil')),
        lambda model: model.update(data_preprocessor=dict(model)),
        lambda model: model['backbone'].update(conv_cfg=dict(type='Conv2d', device='meta')),
        lambda model: model['backbone'].update(init_cfg=dict(type='Pretrained', checkpoint='evil.pth')),
        lambda model: model['backbone'].update(channels=[2**30, 2**30, 2**30]),
        lambda model: model['backbone'].update(channels=[8] * 10**5, strides=[1] * (10**5 - 1)),
        lambda model: model.update(backbone=dict(type='VGG', depths=[10**9, 2, 2])),
        lambda model: model.update(backbone=dict(type='VGG', widths=[10**12, 2, 2])),
    ],
)
def test_a_recorded_model_runs_nothing_and_takes_no_more_than_its_tensors(rewritten, tmp_path, monkeypatch, attack):
    trace = tmp_path / 'trace'
    (tmp_path / 'evil').mkdir()
    for name in ('evil/__init__.py', 'evil/registry.py'):
        (tmp_path / name).write_text(f'open({str(trace)!r}, "w")\nModel = dict\n')
    monkeypatch.syspath_prepend(tmp_path)
    path = rewritten(attack)
    encoder = ALGORITHMS.build(dict(GOOD))
    for read in (
        binssl.load_model,
        lambda path: extract_weights(path, tmp_path / 'out.pth'),
        lambda path: start_from_trunk(encoder, str(path)),
        lambda path: ALGORITHMS.build(
            dict(type='FrozenTeacher', backbone=GOOD['backbone'], neck=GOOD['neck'], checkpoint=str(path))
        ),
    ):
        with pytest.raises(CheckpointError, match=r'changed\.pth'):
            read(path)
    assert not trace.exists()
    assert 'evil' not in sys.modules


GOOD = {
    key: value
    for key, value in classifier(Path('unused')).model.to_dict().items()
    if key in ('type', 'backbone', 'neck', 'head', 'data_preprocessor')
}


def test_no_weights_are_fetched_for_a_recorded_model(tmp_path, monkeypatch):
    def fetch(*arguments, **settings):
        raise AssertionError('the network was asked')

    backbone = dict(type='TorchvisionModel', name='squeezenet1_1')
    network = ALGORITHMS.build(dict(type='Encoder', backbone=backbone))
    model = json.dumps(dict(type='Encoder', backbone=dict(backbone, weights='DEFAULT')))
    write_checkpoint(
        dict(format_version=1, state_dict=network.state_dict(), meta=dict(model=model)), tmp_path / 'a.pth'
    )
    for name in ('load_state_dict_from_url', 'download_url_to_file'):
        monkeypatch.setattr(torch.hub, name, fetch)
    monkeypatch.setattr('torchvision.models._api.load_state_dict_from_url', fetch)
    loaded = binssl.load_model(tmp_path / 'a.pth').state_dict()
    assert all(torch.equal(value, loaded[key]) for key, value in network.state_dict().items())
    extract_weights(tmp_path / 'a.pth', tmp_path / 'b.pth')
    assert json.loads(read_checkpoint(tmp_path / 'b.pth')['meta']['model'])['backbone']['weights'] is None


@pytest.mark.parametrize(
    'optimizer',
    [
        dict(type='SGD', lr=0.01, momentum=0.9),
        dict(type='Adam', lr=1e-3, amsgrad=True),
        dict(type='AdamW', lr=1e-3),
        dict(type='Adagrad', lr=1e-3),
        dict(type='RMSprop', lr=1e-3, momentum=0.9),
        dict(type='TorchAdafactor', lr=1e-3),
        dict(type='LARS', lr=1e-3, weight_decay=1e-4),
    ],
    ids=lambda optimizer: optimizer['type'],
)
def test_an_optimisers_state_of_another_build_is_refused_before_a_step(tmp_path, optimizer):
    settings = dict(SCHEDULED, epochs=1, optim_wrapper__optimizer=dict(_delete_=True, **optimizer))
    settings['optim_wrapper__optimizer'].pop('_delete_')
    run(classifier(tmp_path, **settings))
    path, runner = tmp_path / 'run/iter_2.pth', build(classifier(tmp_path, **settings, resume=None))
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    assert resume_training(runner, path) == (0, 2)
    before = read_checkpoint(path)
    first = before['optimizer']['state'][0]
    name = next(key for key, value in first.items() if isinstance(value, torch.Tensor) and value.dim())
    shape = first[name].shape
    for wrong in (torch.zeros(3), torch.zeros(()), torch.zeros(*shape, 2), torch.zeros(shape).long(), [1], None, 'x'):
        content = read_checkpoint(path)
        content['optimizer']['state'][0][name] = wrong
        torch.save(content, tmp_path / 'bad.pth')
        with pytest.raises(CheckpointError, match=rf'state\.0\.{name} is .* must be a tensor of the shape'):
            resume_training(runner, tmp_path / 'bad.pth')
    for change in (
        lambda state: state['state'][0].pop(name),
        lambda state: state['param_groups'].pop(),
        lambda state: state['param_groups'][0].update(lr='x'),
        lambda state: state['param_groups'][0]['params'].reverse(),
        lambda state: state.update(state=[1]),
        lambda state: state['state'].update({99: {name: torch.zeros(3)}}),
    ):
        content = read_checkpoint(path)
        change(content['optimizer'])
        torch.save(content, tmp_path / 'bad.pth')
        with pytest.raises(CheckpointError, match=r'bad\.pth is damaged: .*optimizer'):
            resume_training(runner, tmp_path / 'bad.pth')


def test_a_tensor_that_repeats_its_numbers_or_is_of_another_kind_is_refused(trained, tmp_path):
    content = read_checkpoint(trained)
    name = next(key for key in content['state_dict'] if key.endswith('conv.weight'))
    weight = content['state_dict'][name]
    repeated, huge = torch.zeros(1).expand(weight.shape), weight.double() * 1e300
    for wrong in (weight.to(torch.int32), weight + 0j, weight.to_sparse(), repeated, huge):
        torch.save({**content, 'state_dict': {**content['state_dict'], name: wrong}}, tmp_path / 'a.pth')
        with pytest.raises(CheckpointError):
            binssl.load_model(tmp_path / 'a.pth')
    double = {**content, 'state_dict': {**content['state_dict'], name: weight.double()}}
    torch.save(double, tmp_path / 'a.pth')
    assert torch.equal(binssl.load_model(tmp_path / 'a.pth').state_dict()[name], weight)
