"""CIFAR-10 and CIFAR-100: the published formats, and views of whole batches."""

import pickle

import numpy as np
import pytest
import torch
import torchvision
from made_up_cifar import FORMS, write_cifar10, write_cifar100
from torch.utils.data import DataLoader

from binssl.datasets import CIFAR10, CIFAR100, BankAndQuery, EpochSampler, whole_batch
from binssl.datasets.base import BatchedDataset
from binssl.registry import DATASETS

VIEW = [dict(type='BatchCrop'), dict(type='PhotoFlip')]
SETS = {'cifar10': (CIFAR10, write_cifar10), 'cifar100': (CIFAR100, write_cifar100)}


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


def test_the_root_may_be_the_folder_itself(shared_cifar10):
    assert len(CIFAR10(root=shared_cifar10 / 'cifar-10-batches-bin')) == 50


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


def test_settings_are_chosen_on_the_last_fifth_of_train(shared_cifar10):
    train, fit, held_out = (CIFAR10(split, root=shared_cifar10) for split in ('train', 'fit', 'held_out'))
    assert (len(fit), len(held_out)) == (40, 10)
    assert torch.equal(torch.cat([fit.images, held_out.images]), train.images)
    assert [*fit.labels, *held_out.labels] == train.labels.tolist()


# samples


def test_a_sample_depends_on_seed_epoch_and_index_alone(shared_cifar10):
    data = CIFAR10(root=shared_cifar10, views=[VIEW, VIEW], seed=1)
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
    assert not torch.equal(first[0], CIFAR10(root=shared_cifar10, views=[VIEW], seed=2)[(3, 0)]['images'][0])


def test_without_views_it_is_the_plain_image(shared_cifar10):
    data = CIFAR10('test', root=shared_cifar10)
    assert data.num_views == 1
    assert torch.equal(torch.stack([sample['images'][0] for sample in data]), data.images)


def test_a_loader_gets_whole_batches(shared_cifar10, monkeypatch):
    data = DATASETS.build(dict(type='CIFAR10', root=str(shared_cifar10), views=[VIEW]))
    monkeypatch.delattr(BatchedDataset, '__getitem__')  # it must not be asked for
    loader = DataLoader(data, 16, sampler=EpochSampler(data), collate_fn=whole_batch)
    batches = list(loader)
    assert [len(batch['labels']) for batch in batches] == [16, 16, 16, 2]
    assert sorted(index for batch in batches for index in batch['indices'].tolist()) == list(range(50))
    assert all(batch['images'][0].dtype == torch.uint8 for batch in batches)


def test_it_serves_as_bank_and_query(shared_cifar10):
    parts = dict(
        bank=dict(type='CIFAR10', root=str(shared_cifar10)),
        query=dict(type='CIFAR10', split='test', root=str(shared_cifar10)),
    )
    batch = whole_batch(BankAndQuery(**parts).__getitems__([(1, 0), (52, 0)]))
    assert batch['banks'].tolist() == [True, False]
    assert batch['images'][0].shape == (2, 3, 32, 32)


def test_it_can_be_sent_to_a_worker(shared_cifar10):
    data = CIFAR10(root=shared_cifar10, views=[VIEW], seed=4)
    copy = pickle.loads(pickle.dumps(data))
    assert torch.equal(copy[(7, 3)]['images'][0], data[(7, 3)]['images'][0])


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_gpu_holds_the_set_and_gives_the_same_batch(shared_cifar10):
    here, there = (CIFAR10(root=shared_cifar10, views=[VIEW], device=device) for device in ('cpu', 'cuda'))
    batch = there.__getitems__([(3, 1), (4, 1)])
    assert batch['images'][0].device.type == batch['labels'].device.type == there.images.device.type == 'cuda'
    assert torch.equal(batch['images'][0].to('cpu'), here.__getitems__([(3, 1), (4, 1)])['images'][0])
