"""ImageNet's folders by synsets and by numbers, and the lists of BURN, give the same images and labels."""

import shutil
from pathlib import Path

import pytest
from imagenet_folder import make_imagenet_folder

from binssl.datasets import ImageNet
from binssl.registry import DataError


def name_by_numbers(root: Path, split: str) -> None:
    """n01440764 -> 0, n01441764 -> 1, ..., as a list of integer ids has them."""
    for label, folder in enumerate(sorted((root / split).iterdir())):
        folder.rename(folder.with_name(str(label)))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Twelve classes, so that 10 comes before 2 in the alphabet."""
    return make_imagenet_folder(tmp_path / 'imagenet', train=24, val=12, classes=12, size=(8, 8))


def labels_by_file(data: ImageNet) -> dict[str, int]:
    return {Path(data.index.path(i)).name: int(data.index.labels[i]) for i in range(len(data))}


@pytest.mark.parametrize('split', ['train', 'val'])
def test_synsets_numbers_and_lists_give_the_same_labels(root, split):
    listed = labels_by_file(ImageNet(split, root, source='list', labeled=True))
    synsets = labels_by_file(ImageNet(split, root, source='folder', labeled=True))
    name_by_numbers(root, 'train')
    name_by_numbers(root, 'val')
    numbers = ImageNet(split, root, source='folder', labeled=True)
    assert labels_by_file(numbers) == synsets == listed
    assert numbers.classes == [str(label) for label in range(12)]


def test_synsets_in_one_split_and_numbers_in_the_other_are_refused(root):
    name_by_numbers(root, 'val')
    with pytest.raises(DataError, match='have different class folders'):
        ImageNet('train', root, source='folder', labeled=True)


def test_burns_three_lists_are_enough(root):
    """train.txt for training without labels, the labeled ones for scoring."""
    (root / 'meta/val.txt').unlink()
    assert set(ImageNet('train', root).index.labels) == {-1}
    assert sorted(set(ImageNet('train', root, labeled=True).index.labels)) == list(range(12))
    assert sorted(set(ImageNet('val', root).index.labels)) == list(range(12))
    shutil.rmtree(root / 'meta')
    assert sorted(set(ImageNet('train', root).index.labels)) == list(range(12))  # the folders are still there
