"""What labels mean: the class names and numbers that data sets keep, and sets that do not agree on them."""

from __future__ import annotations

from pathlib import Path

import pytest
from imagenet_folder import make_imagenet_folder
from made_up_tiny_imagenet import write_tiny_imagenet
from PIL import Image

from binssl.datasets import (
    BankAndQuery,
    ImageDataset,
    ImageFolder,
    ImageList,
    ImageNet,
    TinyImageNet,
    check_same_classes,
)
from binssl.registry import ConfigError


def write_classes(folder: Path, names: str) -> str:
    """One image in each of the class folders, which are called by single letters."""
    for name in names:
        (folder / name).mkdir(parents=True)
        Image.new('RGB', (8, 8)).save(folder / name / 'image.png')
    return str(folder)


def compare(one: dict, other: dict) -> None:
    sets = [ImageDataset(), ImageDataset()]
    for data, facts in zip(sets, (one, other), strict=True):
        vars(data).update(facts)
    check_same_classes(*sets, 'first', 'second')
    assert vars(sets[0]).items() >= one.items(), 'asking changes nothing'


def test_class_folders_are_kept_in_the_order_of_their_labels(tmp_path):
    data = ImageFolder(write_classes(tmp_path, 'cab'))
    assert (data.classes, data.num_classes) == (['a', 'b', 'c'], 3)
    assert [data[index]['labels'] for index in range(3)] == [0, 1, 2]
    assert ImageFolder(tmp_path, num_classes=7).num_classes == 7


def test_a_list_knows_its_largest_label_and_no_names(shared_imagenet):
    meta = shared_imagenet / 'meta'
    lists = [ImageList(meta / f'val{name}.txt', shared_imagenet / 'val') for name in ('_labeled', '')]
    assert [data.classes for data in lists] == [None, None]
    assert [data.num_classes for data in lists] == [4, 0]  # the second has no labels
    assert ImageList(meta / 'val_labeled.txt', shared_imagenet / 'val', num_classes=9).num_classes == 9


def test_imagenet_has_names_from_folders_only(shared_imagenet):
    folders = ImageNet(root=shared_imagenet, source='folder')
    assert folders.classes == sorted(path.name for path in (shared_imagenet / 'train').iterdir())
    assert ImageNet(root=shared_imagenet, source='list').classes is None


def test_tiny_imagenets_names_are_those_of_its_class_folders(tmp_path):
    write_tiny_imagenet(tmp_path)
    names = sorted(path.name for path in (tmp_path / 'train').iterdir())
    assert [TinyImageNet(split, root=tmp_path).classes for split in ('train', 'val')] == [names, names]


@pytest.mark.parametrize(
    ('one', 'other'),
    [
        (dict(classes=['a', 'b']), dict(classes=['a', 'b'])),
        (dict(classes=['a', 'b'], num_classes=2), dict(classes=['a', 'b'], num_classes=1000)),  # names tell more
        (dict(classes=['a', 'b'], num_classes=2), dict(classes=None, num_classes=2)),
        (dict(num_classes=10), dict(num_classes=10)),
        (dict(num_classes=10), dict(num_classes=0)),
        (dict(num_classes=10), dict()),
        (dict(), dict()),
    ],
)
def test_what_agrees_or_is_not_known_passes(one, other):
    compare(one, other)
    compare(other, one)


@pytest.mark.parametrize(
    ('one', 'other', 'message'),
    [
        (
            dict(classes=[*'abcdef']),
            dict(classes=[*'abcxyz']),
            r"different class folders \(6 and 6\).*label 3 is 'd' in first and 'x' in second\. Give both the same",
        ),
        (dict(classes=[*'abc']), dict(classes=[*'ab']), r"\(3 and 2\).*label 2 is 'c' in first and none in second"),
        (dict(classes=[*'b']), dict(classes=[*'ab']), r"label 0 is 'b' in first and 'a' in second"),
        (dict(num_classes=100), dict(num_classes=10), 'first has 100 classes and second 10.*same classes.*num_classes'),
        (dict(classes=[*'abc'], num_classes=3), dict(num_classes=4), 'first has 3 classes and second 4'),
    ],
)
def test_the_first_difference_is_named(one, other, message):
    with pytest.raises(ConfigError, match=message):
        compare(one, other)


def test_bank_and_query_have_the_same_classes(tmp_path):
    parts = {
        name: dict(type='ImageFolder', folder=write_classes(tmp_path / name, names))
        for name, names in dict(bank='abcdef', query='abcxyz', also='abcdef').items()
    }
    with pytest.raises(ConfigError, match="label 3 is 'd' in BankAndQuery's bank and 'x' in its query"):
        BankAndQuery(parts['bank'], parts['query'])
    assert len(BankAndQuery(parts['bank'], parts['also'])) == 12


def test_bank_and_query_from_lists_have_as_many_classes(tmp_path):
    root = make_imagenet_folder(tmp_path / 'four', train=8, val=4, classes=4)
    lines = (root / 'meta/val_labeled.txt').read_text().splitlines()
    (tmp_path / 'three.txt').write_text('\n'.join(lines[:3]))
    bank = dict(type='ImageList', list_file=str(root / 'meta/train_labeled.txt'), folder=str(root / 'train'))
    query = dict(type='ImageList', list_file=str(tmp_path / 'three.txt'), folder=str(root / 'val'))
    with pytest.raises(ConfigError, match=r'bank has 4 classes and its query 3.*must be given num_classes'):
        BankAndQuery(bank, query)
    assert len(BankAndQuery(bank, dict(query, num_classes=4))) == 11
