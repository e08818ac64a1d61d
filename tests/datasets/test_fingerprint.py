"""What makes a data set another one, and what does not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from imagenet_folder import make_imagenet_folder

from binssl.datasets import BankAndQuery, Digits, FewLabels, ImageFolder, ImageList, build_dataset
from binssl.registry import DATASETS, DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_imagenet_folder(tmp_path / 'here', train=6, val=4, classes=2, size=(12, 8)) / 'train'


def prints(*datasets: Any) -> list[str]:
    return [dataset.fingerprint() for dataset in datasets]


def test_views_and_seeds_do_not_enter() -> None:
    augmented = Digits('test', views=[dict(type='DigitsAugment', degrees=20.0)] * 2, seed=3)
    assert len(set(prints(Digits('test'), augmented))) == 1


def test_another_pixel_label_or_order_is_another_set() -> None:
    sets = [Digits('test') for _ in range(4)]
    sets[1].images = sets[1].images.copy()
    sets[1].images[7, 3, 3] += 1
    sets[2].labels = sets[2].labels.copy()
    sets[2].labels[7] = (sets[2].labels[7] + 1) % 10
    sets[3].images, sets[3].labels = sets[3].images[::-1], sets[3].labels[::-1]
    assert len(set(prints(*sets, Digits('train')))) == 5


def test_files_that_were_moved_are_the_same_set(folder: Path) -> None:
    before = ImageFolder(folder).fingerprint()
    folder.parent.rename(folder.parent.with_name('there'))
    assert ImageFolder(folder.parents[1] / 'there' / 'train').fingerprint() == before


@pytest.mark.parametrize('change', ['time', 'size', 'name', 'label'])
def test_files_that_have_changed_are_another_set(change: str, folder: Path) -> None:
    before = ImageFolder(folder).fingerprint()
    first = sorted(folder.glob('*/*'))[0]
    other_class = sorted(folder.iterdir())[1]
    if change == 'time':
        os.utime(first, ns=(0, first.stat().st_mtime_ns + 1))
    elif change == 'size':
        stamp = first.stat().st_mtime_ns
        first.write_bytes(first.read_bytes() + b'\0')
        os.utime(first, ns=(stamp, stamp))
    else:
        first.rename(first.with_name('other.JPEG') if change == 'name' else other_class / first.name)
    assert ImageFolder(folder).fingerprint() != before


def test_labels_of_a_list_count(folder: Path, tmp_path: Path) -> None:
    names = [file.relative_to(folder).as_posix() for file in sorted(folder.glob('*/*'))]
    lists = []
    for number, last in enumerate((1, 0)):
        lists.append(tmp_path / f'{number}.txt')
        lists[-1].write_text('\n'.join(f'{name} {0 if place else last}' for place, name in enumerate(names)))
    first, second = (ImageList(file, folder, num_classes=2) for file in lists)
    assert len(set(prints(first, second))) == 2


def test_a_set_of_sets_is_known_by_all_of_them_in_order() -> None:
    fit, held_out = dict(type='Digits', split='fit'), dict(type='Digits', split='held_out')
    both = BankAndQuery(fit, held_out)
    assert len(set(prints(both, BankAndQuery(held_out, fit), Digits('fit'), Digits('held_out')))) == 4


def test_a_choice_from_a_set_is_known_by_what_is_chosen() -> None:
    digits = dict(type='Digits', split='train')
    draws = [FewLabels(digits, 10), FewLabels(digits, 10, draw=1), FewLabels(digits, 20), Digits('train')]
    assert len(set(prints(*draws))) == 4
    assert FewLabels(digits, 10).fingerprint() == draws[0].fingerprint()


def test_a_file_that_is_gone_is_named(folder: Path) -> None:
    dataset = ImageFolder(folder)
    gone = sorted(folder.glob('*/*'))[2]
    gone.unlink()
    with pytest.raises(DataError, match=gone.name):
        dataset.fingerprint()


def test_a_set_that_nothing_is_known_of_says_what_to_add() -> None:
    class Unknown:
        def __len__(self) -> int:
            return 1

    DATASETS.register_module(name='Unknown', module=Unknown, force=True)
    with pytest.raises(DataError, match=r'Unknown has neither files nor pixels.*fingerprint\(\)'):
        build_dataset(dict(type='Unknown')).fingerprint()
