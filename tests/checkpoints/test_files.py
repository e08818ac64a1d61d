"""Reading runs nothing and says what is wrong; writing is whole or nothing."""

from __future__ import annotations

import argparse
import enum
import hashlib
import os
import re
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub

from binssl.checkpoints import CheckpointError, find_state_dict, read_checkpoint, write_checkpoint
from binssl.core.files import file_sha256
from binssl.registry import ConfigError

CONTENT = {'format_version': 1, 'state_dict': {'weight': torch.arange(6.0).view(2, 3)}, 'meta': {'epoch': 3}}


class Calls:
    """Pickles as a call of ``function``: what a malicious file does."""

    def __init__(self, function, *arguments) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    message = str(caught.value)
    assert str(path) in message
    assert '\n' not in message
    return message


def test_what_is_written_is_read_back(tmp_path):
    write_checkpoint(CONTENT, tmp_path / 'new' / 'folder' / 'a.pth')
    back = read_checkpoint(tmp_path / 'new' / 'folder' / 'a.pth')
    assert back['meta'] == {'epoch': 3}
    assert torch.equal(back['state_dict']['weight'], CONTENT['state_dict']['weight'])


def test_an_error_is_a_config_error():
    assert issubclass(CheckpointError, ConfigError)


@pytest.mark.parametrize('legacy', [False, True], ids=['zip', 'before torch 1.6'])
@pytest.mark.parametrize('function', [os.system, eval, getattr], ids=lambda function: function.__name__)
def test_a_malicious_file_runs_nothing(tmp_path, function, legacy):
    trace = tmp_path / 'trace'
    arguments = {
        os.system: (f'touch {trace}',),
        eval: (f'open({str(trace)!r}, "w")',),
        getattr: (argparse.Namespace, '__init__'),
    }[function]
    torch.save(
        {'state_dict': CONTENT['state_dict'], 'x': Calls(function, *arguments)},
        tmp_path / 'bad.pth',
        _use_new_zipfile_serialization=not legacy,
    )
    message = refusal(tmp_path / 'bad.pth')
    assert 'could run code' in message
    assert function.__name__ in message
    assert not trace.exists()


def test_a_whole_pickled_model_is_refused_by_name(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / 'model.pth')
    assert 'torch.nn.modules.linear.Linear' in refusal(tmp_path / 'model.pth')


def test_the_allow_list_does_not_outlive_the_reading(tmp_path):
    torch.save({'args': argparse.Namespace(lr=0.1)}, tmp_path / 'a.pth')
    read_checkpoint(tmp_path / 'a.pth')
    with pytest.raises(Exception, match='Namespace'):
        torch.load(tmp_path / 'a.pth', weights_only=True)


def test_a_stock_mmengine_file_loads(tmp_path):
    hub = MessageHub('stock')
    hub.update_scalar('train/loss', 0.5)
    hub.update_info('iter', np.int64(7))
    hub.update_info('array', np.arange(3.0))
    torch.save(
        {**CONTENT, 'message_hub': hub.state_dict(), 'args': argparse.Namespace(arch='resnet50')},
        tmp_path / 'stock.pth',
    )
    content = read_checkpoint(tmp_path / 'stock.pth')
    assert content['args'].arch == 'resnet50'
    assert content['message_hub']['runtime_info']['iter'] == 7
    assert list(find_state_dict(content)) == ['weight']


def test_numpy_numbers_under_numpy_1_names_load(tmp_path):
    content = {**CONTENT, 'best': np.float64(0.5)}
    torch.save(content, tmp_path / 'new.pth', _use_new_zipfile_serialization=False)
    data = (tmp_path / 'new.pth').read_bytes()
    assert b'numpy._core.multiarray' in data or b'numpy.core.multiarray' in data
    (tmp_path / 'old.pth').write_bytes(data.replace(b'numpy._core.multiarray', b'numpy.core.multiarray'))
    assert read_checkpoint(tmp_path / 'old.pth')['best'] == 0.5


@pytest.mark.parametrize('kept', [0.05, 0.5, 0.99])
def test_a_truncated_file_says_so(tmp_path, kept):
    write_checkpoint(CONTENT, tmp_path / 'a.pth')
    data = (tmp_path / 'a.pth').read_bytes()
    (tmp_path / 'a.pth').write_bytes(data[: int(kept * len(data))])
    assert 'truncated' in refusal(tmp_path / 'a.pth')


def test_bytes_that_changed_on_the_disk_are_an_error(tmp_path):
    path = tmp_path / 'weights.pth'
    values = torch.linspace(1, 2, 1000)
    write_checkpoint({'state_dict': {'weight': values}}, path)
    content = bytearray(path.read_bytes())
    place = content.index(values.numpy().tobytes())
    content[place + 3] ^= 0x80  # the sign of the first number
    path.write_bytes(content)
    assert torch.load(path)['state_dict']['weight'][0] == -1  # torch itself says nothing
    assert re.search(r"damaged.*'archive/data/0'.*Bad CRC-32.*copy it again", refusal(path))


def test_a_file_written_without_checksums_loads(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({'weight': torch.ones(3)}, tmp_path / 'a.pth')
    finally:
        torch.serialization.set_crc32_options(True)
    assert read_checkpoint(tmp_path / 'a.pth')['weight'].tolist() == [1, 1, 1]


def test_a_file_cut_to_nothing_says_so(tmp_path):
    (tmp_path / 'a.pth').touch()
    assert 'empty' in refusal(tmp_path / 'a.pth')


def test_a_missing_file_says_so(tmp_path):
    assert 'there is no checkpoint' in refusal(tmp_path / 'none.pth')


def test_a_folder_says_so(tmp_path):
    assert 'folder' in refusal(tmp_path)


@pytest.mark.parametrize(
    'data',
    [b'\xff\xd8\xff\xe0\x00\x10JFIF' + bytes(500), b'weights: none\n', b'PK\x03\x04' + bytes(500)],
    ids=['jpeg', 'text', 'broken zip'],
)
def test_a_file_that_is_no_checkpoint_says_so(tmp_path, data):
    (tmp_path / 'a.pth').write_bytes(data)
    message = refusal(tmp_path / 'a.pth')
    assert 'no checkpoint' in message or 'truncated' in message


def test_a_lone_tensor_is_no_checkpoint(tmp_path):
    torch.save(torch.zeros(3), tmp_path / 'a.pth')
    assert 'it holds a Tensor' in refusal(tmp_path / 'a.pth')


@pytest.mark.parametrize(
    'wrap',
    [
        lambda weights: {'state_dict': weights, 'epoch': 1},
        lambda weights: {'model': weights, 'args': None},
        lambda weights: weights,
    ],
    ids=['state_dict', 'model', 'bare'],
)
def test_state_dicts_are_found_where_publishers_put_them(wrap):
    weights = OrderedDict(weight=torch.ones(2))
    assert find_state_dict(wrap(weights)) == {'weight': weights['weight']}


@pytest.mark.parametrize('content', [{'state_dict': {}}, {}], ids=['wrapped', 'bare'])
def test_an_empty_state_dict_is_an_error(content):
    with pytest.raises(CheckpointError, match=r'a\.pth holds an empty state dict'):
        find_state_dict(content, 'a.pth')


def test_entries_that_are_no_tensors_are_named():
    with pytest.raises(CheckpointError, match="no tensor stands at 'epoch'"):
        find_state_dict({'epoch': 3, 'weight': torch.ones(1)})


class Colour(enum.IntEnum):
    RED = 1


@pytest.mark.parametrize(
    'value',
    [
        np.float64(0.5),
        np.arange(2),
        Colour.RED,
        Path('a'),
        argparse.Namespace(),
        torch.nn.ReLU(),
        {1: [(np.int64(2),)]},
        {np.str_('a'): 1},
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_would_not_read_back_is_not_written(tmp_path, value):
    with pytest.raises(CheckpointError, match=r'content\[.meta.\]'):
        write_checkpoint({'meta': value}, tmp_path / 'a.pth')
    assert list(tmp_path.iterdir()) == []


def test_all_plain_types_read_back(tmp_path):
    content = {
        'none': None,
        'bool': True,
        'int': 2**70,
        'float': 0.5,
        'complex': 1j,
        'text': 'ä',
        'bytes': b'x',
        'set': {1, 2},
        'nested': [(1, {'a': [2.0]})],
        'size': torch.Size([2]),
        'dtype': torch.bfloat16,
        'device': torch.device('cpu'),
        'ordered': OrderedDict(a=1),
        3: 'key',
    }
    write_checkpoint(content, tmp_path / 'a.pth')
    assert read_checkpoint(tmp_path / 'a.pth') == content
    assert torch.load(tmp_path / 'a.pth', weights_only=True) == content


@pytest.mark.parametrize('interruption', [OSError(28, 'disk full'), KeyboardInterrupt()], ids=['full', 'ctrl-c'])
@pytest.mark.parametrize('step', ['save', 'fsync', 'replace'])
def test_an_interrupted_write_keeps_the_old_file_alone(tmp_path, monkeypatch, step, interruption):
    write_checkpoint(CONTENT, tmp_path / 'a.pth')
    before = (tmp_path / 'a.pth').read_bytes()

    def interrupted(*arguments):
        if step == 'save':
            arguments[1].write(b'half')
        raise interruption

    monkeypatch.setattr(torch if step == 'save' else os, step, interrupted)
    with pytest.raises((CheckpointError, KeyboardInterrupt), match=r'disk full|^$'):
        write_checkpoint({'other': 1}, tmp_path / 'a.pth')
    assert (tmp_path / 'a.pth').read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ['a.pth']


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(CheckpointError, match=r'file/a\.pth cannot be written: '):
        write_checkpoint(CONTENT, tmp_path / 'file' / 'a.pth')


def test_what_a_killed_writer_left_goes_with_the_next_write(tmp_path):
    (tmp_path / '.a.pth.123.tmp').write_bytes(b'half')
    (tmp_path / '.b.pth.123.tmp').write_bytes(b'half')
    write_checkpoint(CONTENT, tmp_path / 'a.pth')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['.b.pth.123.tmp', 'a.pth']


def test_file_and_folder_reach_the_disk_around_the_rename(tmp_path, monkeypatch):
    calls = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, 'fsync', lambda descriptor: (calls.append('fsync'), sync(descriptor))[1])
    monkeypatch.setattr(os, 'replace', lambda *paths: (calls.append('replace'), replace(*paths))[1])
    write_checkpoint(CONTENT, tmp_path / 'a.pth')
    assert calls == ['fsync', 'replace', 'fsync']


def test_a_written_file_has_the_usual_permissions(tmp_path):
    write_checkpoint(CONTENT, tmp_path / 'a.pth')
    (tmp_path / 'plain').touch()
    assert (tmp_path / 'a.pth').stat().st_mode == (tmp_path / 'plain').stat().st_mode


def test_the_same_content_gives_the_same_bytes(tmp_path):
    for name in ('a.pth', 'b.pth'):
        write_checkpoint(CONTENT, tmp_path / name)
    assert file_sha256(tmp_path / 'a.pth') == file_sha256(tmp_path / 'b.pth')


def test_sha256_is_that_of_the_bytes(tmp_path):
    data = os.urandom(3 << 20)
    (tmp_path / 'a').write_bytes(data)
    assert file_sha256(tmp_path / 'a') == hashlib.sha256(data).hexdigest()
