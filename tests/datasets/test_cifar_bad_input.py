"""CIFAR-10 and CIFAR-100: what is wrong with a folder, and what is refused."""

import io
import pickle

import numpy as np
import pytest
import torch
from imagenet_folder import truncate
from made_up_cifar import FORMS, write_cifar10, write_cifar100

from binssl.datasets import CIFAR10, CIFAR100, in_memory
from binssl.datasets.cifar import ArrayUnpickler
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


@pytest.mark.parametrize('form', FORMS)
def test_a_set_extracted_in_part_is_an_error(tmp_path, form):
    (folder,) = write_cifar10(tmp_path, form=form).iterdir()
    names = sorted(path.name for path in folder.iterdir())
    (folder / names[3]).unlink()
    (folder / names[5]).unlink()
    with pytest.raises(DataError, match=rf'lacks {names[3]}, {names[5]} of CIFAR-10.*extract cifar-10-{form}.* again'):
        CIFAR10('test', root=tmp_path)


@pytest.mark.parametrize('fraction', [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_archive_is_an_error(tmp_path, fraction):
    (archive,) = write_cifar10(tmp_path, archive=True).iterdir()
    truncate(archive, fraction)
    with pytest.raises(DataError, match=r'cifar-10-binary\.tar\.gz.* (cut off|lacks).*--download'):
        CIFAR10('test', root=tmp_path)


def in_python_2(labels: object, key: bytes = b'labels', shape: tuple = (1, 3072), dtype: type = np.uint8) -> bytes:
    return pickle.dumps({b'data': np.zeros(shape, dtype), key: labels}, protocol=2)


class _Command:
    def __reduce__(self):
        return (print, ('code has run',))


#: content of the file ``test_batch``, binary or pickled, and what the error says: value, rule
WRONG = {
    'empty': (b'', 'no image: cut off'),
    'cut off': (bytes(3073 + 1500), '4,573 bytes.*3,073: cut off'),
    'of the other set': (bytes(2 * 3074), '6,148 bytes.*3,073.*other CIFAR'),
    'another class': (bytes([200]) + bytes(3072), 'labels from 200 to 200.* between 0 and 9'),
    'a pickle cut off': (in_python_2([1])[:1500], 'cannot be unpickled'),
    'no dictionary': (pickle.dumps([1, 2], protocol=2), "b'data' and b'labels'"),
    'other labels': (in_python_2([1], key=b'fine_labels'), "b'labels'"),
    'no bytes': (in_python_2([1], dtype=np.float32), 'numbers of type f4, not integers'),
    'too few labels': (in_python_2([1], shape=(2, 3072)), r'\(2, 3072\) and labels int64 \(1,\)'),
    'rows too short': (in_python_2([1], shape=(1, 3071)), r'\(1, 3071\).*3072 bytes'),
    'no array': (pickle.dumps({b'data': 1, b'labels': 2}, protocol=2), 'neither an array nor a list of integers'),
    'no numbers': (in_python_2(['cat']), 'list of integers'),
    'fractions': (in_python_2([0.5]), 'list of integers'),
    'a negative label': (in_python_2([-1]), 'labels from -1 to -1.* between 0 and 9'),
}


@pytest.mark.parametrize('case', WRONG)
def test_a_damaged_file_is_named(tmp_path, case):
    content, message = WRONG[case]
    form = 'python' if content.startswith(b'\x80\x02') else 'binary'
    (folder,) = write_cifar10(tmp_path, form=form).iterdir()
    (folder / dict(binary='test_batch.bin', python='test_batch')[form]).write_bytes(content)
    with pytest.raises(DataError, match=rf'test_batch.*{message}.*extract cifar-10-{form}\.tar\.gz again'):
        CIFAR10('test', root=tmp_path)


def test_a_file_cut_off_between_two_records_is_an_error(tmp_path):
    (folder,) = write_cifar10(tmp_path).iterdir()
    truncate(folder / 'data_batch_4.bin')  # 5 of 10 records
    with pytest.raises(DataError, match=r'hold \[10, 10, 10, 5, 10\] images.*cut off'):
        CIFAR10(root=tmp_path)


@pytest.mark.parametrize('content', [_Command(), [np.zeros(3), {'key': _Command()}], np.array([_Command()], object)])
def test_a_pickle_cannot_run_code(content, tmp_path, capsys):
    (folder,) = write_cifar10(tmp_path, form='python').iterdir()
    (folder / 'test_batch').write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(DataError, match=r'(names .*builtin.*print, which is no plain data|not integers).*again'):
        CIFAR10('test', root=tmp_path)
    assert capsys.readouterr().out == ''


@pytest.mark.parametrize('protocol', range(5))
def test_plain_data_survive(protocol):
    content = {'rows': np.arange(6, dtype=np.uint8).reshape(2, 3), 'names': ['a', b'\xff', (1, None)]}
    loaded = ArrayUnpickler(io.BytesIO(pickle.dumps(content, protocol)), encoding='bytes').load()
    np.testing.assert_array_equal(loaded['rows'].values, content['rows'])
    assert loaded['names'] == content['names']


def tuples(depth: int) -> bytes:
    return b'N' + b'\x85' * depth


def published(**changes: bytes) -> bytes:
    """A batch of one image as a pickle, opcode by opcode; ``changes`` are made to its parts."""
    parts = dict(type=b'U\x02u1', order=b'U\x01|', shape=b'K\x01M\x00\x0c\x86', labels=b']K\x03a', key=b'U\x06labels')
    parts |= dict(content=b'T' + (3072).to_bytes(4, 'little') + bytes(3072), build=b'b')
    parts |= changes
    kind = (
        b'cnumpy\ndtype\n('
        + parts['type']
        + b'K\x00K\x01tR(K\x03'
        + parts['order']
        + b'NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb'
    )
    empty = b'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR'
    array = empty + b'(K\x01' + parts['shape'] + kind + b'\x89' + parts['content'] + b't' + parts['build']
    return b'\x80\x02}(U\x04data' + array + parts['key'] + parts['labels'] + b'u.'


HOSTILE = dict(
    objects=dict(type=b'U\x01O', order=b'U\x01|'),
    a_type_of_objects_inside=dict(type=b'U\x02O8'),
    floats=dict(type=b'U\x02f8'),
    text=dict(type=b'U\x05S3072'),
    a_structure=dict(type=b']((U\x01aU\x01Otta'),
    a_deep_type=dict(type=tuples(300_000)),
    a_shape_beyond=dict(shape=b'K\x02M\x00\x0c\x86'),
    a_huge_shape=dict(shape=b'\x8a\x09' + bytes(8) + b'\x01M\x00\x0c\x86'),
    a_negative_shape=dict(shape=b'J\xfe\xff\xff\xffM\x00\x0c\x86'),
    a_deep_shape=dict(shape=tuples(300_000)),
    no_bytes=dict(content=b']'),
    no_state=dict(build=b'0'),
    a_deep_key=dict(key=tuples(300_000)),
    labels_that_grow=dict(labels=b']' + b''.join(b'q%c0]' % n + b'(' + b'h%c' % n * 20 + b'e' for n in range(9))),
    deep_labels=dict(labels=tuples(300_000)),
    a_label_that_is_none=dict(labels=b']Na'),
    labels_of_true=dict(labels=b']\x88a'),
    a_function=dict(labels=b'cos\ngetpid\n)R'),
    a_hidden_function=dict(labels=b'cnumpy\ncore.multiarray.scalar\n'),
    a_place_far_beyond=dict(labels=b']r\xff\xff\xff\x7fK\x03'),
    a_set=dict(labels=b'\x8f'),
    cut_off=dict(content=b'T\xff\xff\xff\x7fabc'),
)


@pytest.mark.parametrize('hostile', HOSTILE)
def test_a_hostile_pickle_is_a_data_error(tmp_path, hostile):
    folder = tmp_path / 'cifar-10-batches-py'
    folder.mkdir()
    for number in range(1, 6):
        (folder / f'data_batch_{number}').write_bytes(published())
    (folder / 'test_batch').write_bytes(published())
    assert CIFAR10(root=tmp_path).labels.tolist() == [3] * 5
    (folder / 'data_batch_3').write_bytes(published(**HOSTILE[hostile]))
    with pytest.raises(DataError, match='data_batch_3'):
        CIFAR10(root=tmp_path)
