"""CIFAR-10 and CIFAR-100: what is wrong with a folder, and what is refused."""

import pickle
import shutil

import numpy as np
import pytest
import torch
from imagenet_folder import truncate
from made_up_cifar import FORMS, write_cifar10, write_cifar100

from binssl.datasets import CIFAR10, CIFAR100, in_memory
from binssl.datasets.array_pickle import load_array_pickle
from binssl.registry import ConfigError, DataError


@pytest.mark.skipif(torch.cuda.is_available(), reason='needs a machine without a GPU')
def test_a_missing_device_is_an_error_at_once(shared_cifar10):
    with pytest.raises(ConfigError, match=r"device 'cuda' cannot be used .*set device='cpu'"):
        CIFAR10(root=shared_cifar10, device='cuda')
    with pytest.raises(ConfigError, match="device 'gpu' cannot be used"):
        CIFAR10(root=shared_cifar10, device='gpu')


def test_workers_cannot_read_from_a_device(shared_cifar10, monkeypatch):
    data = CIFAR10(root=shared_cifar10)
    data.device = torch.device('meta')
    monkeypatch.setattr(in_memory, 'get_worker_info', lambda: object())
    with pytest.raises(ConfigError, match=r'held by device meta, which a worker .*num_workers=0'):
        data[0]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(split='val'), "CIFAR10 has no split 'val'"),
        (dict(views=[dict(type='GaussianBlur')]), 'whole batches; GaussianBlur is not one'),
        (dict(views=[[dict(type='BatchCrop', size=48)]]), 'no square of 48 px fits into 32 x 32'),
        (dict(views=[]), 'CIFAR10: views must be a list'),
    ],
)
def test_wrong_arguments_are_refused_at_once(shared_cifar10, arguments, message):
    with pytest.raises(ConfigError, match=message):
        CIFAR10(root=shared_cifar10, **arguments)


def test_an_index_beyond_the_end_is_an_error(shared_cifar10):
    with pytest.raises(IndexError, match='index 50 is not among the 50'):
        CIFAR10(root=shared_cifar10)[50]


def test_a_missing_set_says_what_is_expected_and_how_to_get_it(tmp_path):
    with pytest.raises(DataError) as caught:
        CIFAR10(root=tmp_path)
    for part in (
        'cifar-10-batches-bin/',
        'cifar-10-python.tar.gz',
        '--download',
        'https://www.cs.toronto.edu',
        'train_dataloader.dataset.root=',
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize('archive', [False, True])
def test_the_other_set_is_recognised(tmp_path, archive):
    write_cifar100(tmp_path / 'hundred', archive=archive)
    write_cifar10(tmp_path / 'ten', archive=archive)
    with pytest.raises(DataError, match="holds CIFAR-100, which type='CIFAR100' reads"):
        CIFAR10(root=tmp_path / 'hundred')
    with pytest.raises(DataError, match="holds CIFAR-10, which type='CIFAR10' reads"):
        CIFAR100(root=tmp_path / 'ten')


def test_the_other_set_under_this_ones_name_is_recognised(tmp_path):
    write_cifar100(tmp_path)
    ten = tmp_path / 'cifar-10-batches-bin'
    ten.mkdir()
    for name in (*(f'data_batch_{number}' for number in range(1, 6)), 'test_batch'):
        shutil.copy(tmp_path / 'cifar-100-binary' / 'test.bin', ten / f'{name}.bin')
    with pytest.raises(DataError, match=r'307,400 bytes.*no whole number of CIFAR-10 records of 3,073.*of CIFAR-100'):
        CIFAR10(root=tmp_path)


@pytest.mark.parametrize('form', FORMS)
def test_a_set_extracted_in_part_is_an_error(tmp_path, form):
    (folder,) = write_cifar10(tmp_path, form=form).iterdir()
    names = sorted(path.name for path in folder.iterdir())
    (folder / names[3]).unlink()
    (folder / names[5]).unlink()
    with pytest.raises(DataError, match=rf'lacks {names[3]}, {names[5]} of CIFAR-10.*extracted in part.*again'):
        CIFAR10('test', root=tmp_path)


@pytest.mark.parametrize(('form', 'message'), [('binary', 'cut off'), ('python', 'cannot be unpickled')])
def test_a_truncated_file_is_an_error(tmp_path, form, message):
    (folder,) = write_cifar10(tmp_path, form=form).iterdir()
    truncate(sorted(folder.iterdir())[2], 0.47)
    with pytest.raises(DataError, match=rf'data_batch_3.*{message}.*extract cifar-10-{form}'):
        CIFAR10(root=tmp_path)


def test_an_empty_file_is_an_error(tmp_path):
    (folder,) = write_cifar10(tmp_path).iterdir()
    (folder / 'test_batch.bin').write_bytes(b'')
    with pytest.raises(DataError, match=r'has 0 bytes.*cut off'):
        CIFAR10('test', root=tmp_path)


def test_a_file_cut_off_between_two_records_is_an_error(tmp_path):
    (folder,) = write_cifar10(tmp_path).iterdir()
    truncate(folder / 'data_batch_4.bin')  # 5 of 10 records
    with pytest.raises(DataError, match=r'hold \[10, 10, 10, 5, 10\] images.*cut off'):
        CIFAR10(root=tmp_path)


@pytest.mark.parametrize('fraction', [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_archive_is_an_error(tmp_path, fraction):
    (archive,) = write_cifar10(tmp_path, archive=True).iterdir()
    truncate(archive, fraction)
    with pytest.raises(DataError, match=r'cifar-10-binary\.tar\.gz.* (cut off|holds no).*--download'):
        CIFAR10('test', root=tmp_path)


@pytest.mark.parametrize('form', FORMS)
def test_a_label_outside_the_classes_is_an_error(tmp_path, form):
    (folder,) = write_cifar10(tmp_path, form=form).iterdir()
    path = sorted(folder.iterdir())[-1]
    if form == 'binary':
        path.write_bytes(bytes([200]) + path.read_bytes()[1:])
    else:
        batch = pickle.loads(path.read_bytes(), encoding='bytes')
        batch[b'labels'][0] = -1
        path.write_bytes(pickle.dumps(batch, protocol=2))
    with pytest.raises(DataError, match=r'test_batch.* of image 0 must lie between 0 and 9'):
        CIFAR10('test', root=tmp_path)


@pytest.mark.parametrize(
    ('batch', 'message'),
    [
        ([1, 2], 'is no dictionary with'),
        ({b'data': np.zeros((1, 3072), np.uint8), b'fine_labels': [1]}, "no dictionary with b'data' and b'labels'"),
        ({b'data': np.zeros((1, 3072), np.float32), b'labels': [1]}, r'data of float32 \(1, 3072\) for 1 labels'),
        ({b'data': np.zeros((2, 3072), np.uint8), b'labels': [1]}, r'data of uint8 \(2, 3072\) for 1 labels'),
        ({b'data': np.zeros((1, 3072), np.uint8), b'labels': ['cat']}, 'not one row of 3072 bytes each'),
    ],
)
def test_a_pickle_of_another_form_is_an_error(tmp_path, batch, message):
    (folder,) = write_cifar10(tmp_path, form='python').iterdir()
    (folder / 'test_batch').write_bytes(pickle.dumps(batch, protocol=2))
    with pytest.raises(DataError, match=message):
        CIFAR10('test', root=tmp_path)


class _Command:
    def __reduce__(self):
        return (print, ('code has run',))


@pytest.mark.parametrize('content', [_Command(), [np.zeros(3), {'key': _Command()}], np.array([_Command()], object)])
def test_a_pickle_cannot_run_code(content, capsys):
    with pytest.raises(DataError, match=r'names .*builtin.*print, which is no plain data.*try this'):
        load_array_pickle(pickle.dumps(content, protocol=2), 'it', remedy='try this')
    assert capsys.readouterr().out == ''


@pytest.mark.parametrize('protocol', range(5))
def test_plain_data_survive(protocol):
    content = {'rows': np.arange(6, dtype=np.uint8).reshape(2, 3), 'names': ['a', b'\xff', (1, None)]}
    loaded = load_array_pickle(pickle.dumps(content, protocol), 'it', remedy='')
    np.testing.assert_array_equal(loaded['rows'], content['rows'])
    assert loaded['names'] == content['names']
