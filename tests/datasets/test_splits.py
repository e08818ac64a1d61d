"""The splits of published sets: their names, and the images that each should have."""

import logging

import pytest
from imagenet_folder import truncate
from made_up_cifar import write_cifar100
from made_up_tiny_imagenet import write_tiny_imagenet
from made_up_voc_boxes import make_devkit

from binssl.datasets import CIFAR10, CIFAR100, Digits, ImageNet, TinyImageNet, VOCDetection, checks, tiny_imagenet
from binssl.registry import ConfigError


@pytest.mark.parametrize('kind', [CIFAR10, CIFAR100, Digits, ImageNet, TinyImageNet])
def test_a_split_that_is_not_there_is_refused_before_any_file_is_read(kind):
    with pytest.raises(ConfigError, match=rf"{kind.__name__} has no split 'trian'; did you mean 'train'"):
        kind('trian')


@pytest.fixture
def log(monkeypatch) -> list[str]:
    lines: list[str] = []

    def note(message: str, logger: object = None, level: int = logging.INFO) -> None:
        lines.append(f'{logging.getLevelName(level)} {message}')

    monkeypatch.setattr(checks, 'print_log', note)
    return lines


def test_a_lone_file_cut_off_between_two_records_is_warned_of(tmp_path, log):
    (folder,) = write_cifar100(tmp_path).iterdir()
    truncate(folder / 'train.bin', 11 / 200)
    assert len(CIFAR100(root=tmp_path)) == 11
    (line,) = log
    assert line.startswith(f"WARNING CIFAR100: train in '{tmp_path}' has 11 images, the published one 50,000")


def test_a_set_as_large_as_the_published_one_is_not_warned_of(tmp_path, log):
    folder = tmp_path / 'cifar-10-batches-bin'
    folder.mkdir()
    for name in (*(f'data_batch_{number}' for number in range(1, 6)), 'test_batch'):
        with open(folder / f'{name}.bin', 'wb') as file:
            file.truncate(30_730_000)  # the published size, all zeros
    assert len(CIFAR10('test', root=tmp_path)) == 10_000
    assert log == []


def test_a_tiny_imagenet_of_another_size_is_warned_of(tmp_path, log, monkeypatch):
    write_tiny_imagenet(tmp_path)
    TinyImageNet('train', root=tmp_path)
    TinyImageNet('val', root=tmp_path)
    sizes = [line.partition(' has ')[2].partition('. ')[0] for line in log]
    assert sizes == ['24 images, the published one 100,000', '8 images, the published one 10,000']
    monkeypatch.setitem(tiny_imagenet.IMAGES, 'val', 8)
    TinyImageNet('val', root=tmp_path)
    assert len(log) == 2


def test_a_list_of_voc_that_is_cut_off_is_warned_of(tmp_path, log):
    VOCDetection([('VOC2012', 'trainval')], make_devkit(tmp_path, {('VOC2012', 'trainval'): 2}))
    (line,) = log
    assert "trainval in '" in line
    assert ' has 2 images, the published one 11,540' in line
    assert 'extract the archive of its year again' in line
    assert '--download' not in line  # there is none of VOC
