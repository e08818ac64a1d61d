"""CIFAR-10 and CIFAR-100: the published formats, views of whole batches, and what is wrong with a folder."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from imagenet_folder import truncate
from made_up_cifar import FORMS, write_cifar10, write_cifar100
from torch.utils.data import DataLoader

from binssl.datasets import CIFAR10, CIFAR100, BankAndQuery, DataError, EpochSampler, in_memory, whole_batch
from binssl.datasets.array_pickle import load_array_pickle
from binssl.datasets.batched import BatchedDataset
from binssl.registry import DATASETS, ConfigError

VIEW = [dict(type='BatchCrop'), dict(type='BatchFlip')]
SETS = {'cifar10': (CIFAR10, write_cifar10), 'cifar100': (CIFAR100, write_cifar100)}


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CIFAR-10 of 50 + 20 images, not to be changed."""
    return write_cifar10(tmp_path_factory.mktemp('cifar10'))


# reading


def test_a_record_is_label_then_red_green_blue_by_rows(tmp_path):
    write_cifar10(tmp_path, images=5, test_images=1)
    red, green, blue = np.zeros((3, 32, 32), dtype=np.uint8)
    red[2, 5], green[31, 0], blue[0, 31] = 11, 22, 33
    record = bytes([7]) + red.tobytes() + green.tobytes() + blue.tobytes()
    (tmp_path / 'cifar-10-batches-bin' / 'test_batch.bin').write_bytes(record)
    sample = CIFAR10('test', root=tmp_path)[0]
    image = sample['images'][0]
    assert sample['labels'] == 7
    assert [int(image[0, 2, 5]), int(image[1, 31, 0]), int(image[2, 0, 31])] == [11, 22, 33]
    assert image.sum() == 66


@pytest.mark.parametrize('name', SETS)
@pytest.mark.parametrize('split', ['train', 'test'])
def test_all_forms_hold_what_torchvision_reads(name, split, tmp_path, monkeypatch):
    ours, write = SETS[name]
    theirs = dict(cifar10=torchvision.datasets.CIFAR10, cifar100=torchvision.datasets.CIFAR100)[name]
    monkeypatch.setattr(theirs, '_check_integrity', lambda self: True)
    monkeypatch.setattr(theirs, '_load_meta', lambda self: None)
    write(tmp_path / 'python', form='python')
    reference = theirs(tmp_path / 'python', train=split == 'train')
    for form in FORMS:
        for archive in (False, True):
            root = tmp_path / f'{form}{archive}'
            write(root, form=form, archive=archive)
            data = ours(split, root=root)
            np.testing.assert_array_equal(data.images.permute(0, 2, 3, 1), reference.data)
            assert data.labels.tolist() == reference.targets


def test_the_root_may_be_the_folder_itself(folder):
    assert len(CIFAR10(root=folder / 'cifar-10-batches-bin')) == 50


def test_the_extracted_folder_goes_before_the_archive(tmp_path):
    write_cifar10(tmp_path, images=10)
    write_cifar10(tmp_path, images=50, archive=True)
    assert len(CIFAR10(root=tmp_path)) == 10


def test_without_a_root_it_is_looked_for_in_data(tmp_path, monkeypatch):
    write_cifar10(tmp_path / 'data/cifar10')
    write_cifar100(tmp_path / 'data/cifar100')
    monkeypatch.chdir(tmp_path)
    assert (len(CIFAR10()), len(CIFAR100())) == (50, 200)
    assert (CIFAR10.num_classes, CIFAR100.num_classes) == (10, 100)


def test_settings_are_chosen_on_the_last_fifth_of_train(folder):
    train, fit, held_out = (CIFAR10(split, root=folder) for split in ('train', 'fit', 'held_out'))
    assert (len(fit), len(held_out)) == (40, 10)
    assert torch.equal(torch.cat([fit.images, held_out.images]), train.images)
    assert torch.equal(torch.cat([fit.labels, held_out.labels]), train.labels)


# samples


def test_a_sample_depends_on_seed_epoch_and_index_alone(folder):
    data = CIFAR10(root=folder, views=[VIEW, VIEW], seed=1)
    wanted = [(3, 0), (49, 2), (3, 1)]
    batch = data.__getitems__(wanted)
    assert [view.shape for view in batch['images']] == [(3, 3, 32, 32)] * 2
    assert batch['indices'].tolist() == [3, 49, 3]
    for place, key in enumerate(wanted):
        sample = data[key]
        assert sample['labels'] == batch['labels'][place] == data.labels[key[0]]
        for view in range(2):
            assert torch.equal(sample['images'][view], batch['images'][view][place])
    first = data[(3, 0)]['images']
    assert torch.equal(data[3]['images'][0], first[0])
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], data[(3, 1)]['images'][0])
    assert not torch.equal(first[0], CIFAR10(root=folder, views=[VIEW], seed=2)[(3, 0)]['images'][0])


def test_without_views_it_is_the_plain_image(folder):
    data = CIFAR10('test', root=folder)
    assert data.num_views == 1
    assert torch.equal(torch.stack([sample['images'][0] for sample in data]), data.images)


def test_a_loader_gets_whole_batches(folder, monkeypatch):
    data = DATASETS.build(dict(type='CIFAR10', root=str(folder), views=[VIEW]))
    monkeypatch.delattr(BatchedDataset, '__getitem__')  # it must not be asked for
    loader = DataLoader(data, 16, sampler=EpochSampler(data), collate_fn=whole_batch)
    batches = list(loader)
    assert [len(batch['labels']) for batch in batches] == [16, 16, 16, 2]
    assert sorted(index for batch in batches for index in batch['indices'].tolist()) == list(range(50))
    assert all(batch['images'][0].dtype == torch.uint8 for batch in batches)


def test_it_serves_as_bank_and_query(folder):
    parts = dict(bank=dict(type='CIFAR10', root=str(folder)),
                 query=dict(type='CIFAR10', split='test', root=str(folder)))  # fmt: skip
    batch = whole_batch(BankAndQuery(**parts).__getitems__([(1, 0), (52, 0)]))
    assert batch['banks'].tolist() == [True, False]
    assert batch['images'][0].shape == (2, 3, 32, 32)


def test_it_can_be_sent_to_a_worker(folder):
    data = CIFAR10(root=folder, views=[VIEW], seed=4)
    copy = pickle.loads(pickle.dumps(data))
    assert torch.equal(copy[(7, 3)]['images'][0], data[(7, 3)]['images'][0])


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_gpu_holds_the_set_and_gives_the_same_batch(folder):
    here, there = (CIFAR10(root=folder, views=[VIEW], device=device) for device in ('cpu', 'cuda'))
    batch = there.__getitems__([(3, 1), (4, 1)])
    assert batch['images'][0].device.type == batch['labels'].device.type == there.images.device.type == 'cuda'
    assert torch.equal(batch['images'][0].to('cpu'), here.__getitems__([(3, 1), (4, 1)])['images'][0])


# what is refused


@pytest.mark.skipif(torch.cuda.is_available(), reason='needs a machine without a GPU')
def test_a_missing_device_is_an_error_at_once(folder):
    with pytest.raises(ConfigError, match=r"device 'cuda' cannot be used .*set device='cpu'"):
        CIFAR10(root=folder, device='cuda')
    with pytest.raises(ConfigError, match="device 'gpu' cannot be used"):
        CIFAR10(root=folder, device='gpu')


def test_workers_cannot_read_from_a_device(folder, monkeypatch):
    data = CIFAR10(root=folder)
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
def test_wrong_arguments_are_refused_at_once(folder, arguments, message):
    with pytest.raises(ConfigError, match=message):
        CIFAR10(root=folder, **arguments)


def test_an_index_beyond_the_end_is_an_error(folder):
    with pytest.raises(IndexError, match='index 50 is not among the 50'):
        CIFAR10(root=folder)[50]


def test_a_missing_set_says_what_is_expected_and_how_to_get_it(tmp_path):
    with pytest.raises(DataError) as caught:
        CIFAR10(root=tmp_path)
    for part in ('cifar-10-batches-bin/', 'cifar-10-python.tar.gz', '--download', 'https://www.cs.toronto.edu',
                 'train_dataloader.dataset.root='):  # fmt: skip
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
    folder, = write_cifar10(tmp_path, form=form).iterdir()
    names = sorted(path.name for path in folder.iterdir())
    (folder / names[3]).unlink()
    (folder / names[5]).unlink()
    with pytest.raises(DataError, match=rf'lacks {names[3]}, {names[5]} of CIFAR-10.*extracted in part.*again'):
        CIFAR10('test', root=tmp_path)


@pytest.mark.parametrize(('form', 'message'), [('binary', 'cut off'), ('python', 'cannot be unpickled')])
def test_a_truncated_file_is_an_error(tmp_path, form, message):
    folder, = write_cifar10(tmp_path, form=form).iterdir()
    truncate(sorted(folder.iterdir())[2], 0.47)
    with pytest.raises(DataError, match=rf'data_batch_3.*{message}.*extract cifar-10-{form}'):
        CIFAR10(root=tmp_path)


def test_an_empty_file_is_an_error(tmp_path):
    folder, = write_cifar10(tmp_path).iterdir()
    (folder / 'test_batch.bin').write_bytes(b'')
    with pytest.raises(DataError, match=r'has 0 bytes.*cut off'):
        CIFAR10('test', root=tmp_path)


def test_a_file_cut_off_between_two_records_is_an_error(tmp_path):
    folder, = write_cifar10(tmp_path).iterdir()
    truncate(folder / 'data_batch_4.bin')  # 5 of 10 records
    with pytest.raises(DataError, match=r'hold \[10, 10, 10, 5, 10\] images.*cut off'):
        CIFAR10(root=tmp_path)


@pytest.mark.parametrize('fraction', [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_archive_is_an_error(tmp_path, fraction):
    archive, = write_cifar10(tmp_path, archive=True).iterdir()
    truncate(archive, fraction)
    with pytest.raises(DataError, match=r'cifar-10-binary\.tar\.gz.* (cut off|holds no).*--download'):
        CIFAR10('test', root=tmp_path)


@pytest.mark.parametrize('form', FORMS)
def test_a_label_outside_the_classes_is_an_error(tmp_path, form):
    folder, = write_cifar10(tmp_path, form=form).iterdir()
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
    folder, = write_cifar10(tmp_path, form='python').iterdir()
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
