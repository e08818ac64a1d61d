"""ImageNet's, Places205's and any folder's layouts: which images and labels they give, and what is refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from imagenet_folder import make_imagenet_folder
from PIL import Image

from binssl.datasets import ImageNet, Places205, Unlabeled
from binssl.registry import DATASETS, ConfigError, DataError

PLAIN = [dict(type='torchvision/Resize', size=(8, 8))]


# ImageNet


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


# Places205


def lay_out(source: Path, root: Path, images: str, list_name: str, depth: str = 'a/abbey') -> Path:
    """Six photos of ``source`` under ``root/images``, and a list of them, labels 0 to 5."""
    (root / images / depth).mkdir(parents=True)
    (root / list_name).parent.mkdir(parents=True)
    lines = []
    for label, path in enumerate(sorted((source / 'val').rglob('*.JPEG'))[:6]):
        shutil.copy(path, root / images / depth / f'gsun_{label}.jpg')
        lines.append(f'{depth}/gsun_{label}.jpg {label}\n')
    (root / list_name).write_text(''.join(lines))
    return root


@pytest.mark.parametrize(
    ('images', 'list_name'),
    [
        ('train', 'meta/train_labeled.txt'),
        ('.', 'meta/train_labeled.txt'),
        ('data/vision/torralba/deeplearning/images256', 'trainvalsplit_places205/train_places205.csv'),
    ],
)
def test_places_are_read_as_others_lay_them_out(shared_imagenet, tmp_path, images, list_name):
    root = lay_out(shared_imagenet, tmp_path / 'places', images, list_name)
    data = DATASETS.build(dict(type=Places205, root=str(root), views=PLAIN))
    assert [data[index]['labels'] for index in range(6)] == list(range(6))
    assert data[0]['images'][0].shape == (3, 8, 8)
    assert data.num_classes == 205


def test_places_labels_lie_below_205(shared_imagenet, tmp_path):
    root = lay_out(shared_imagenet, tmp_path / 'places', 'val', 'meta/val_labeled.txt')
    with open(root / 'meta/val_labeled.txt', 'a') as lines:
        lines.write('a/abbey/gsun_0.jpeg 205\n')
    with pytest.raises(DataError, match=r'line 7: label 205 .* between 0 and 204'):
        Places205('val', root=root)


def test_places_that_are_not_there_are_told_with_what_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r'no Places205: there is no folder data/places205, data/Places205 \(in '):
        Places205()
    with pytest.raises(
        DataError,
        match=r'Places205 val with labels is not in .*meta/val\.txt, meta/val_labeled\.txt, '
        r'trainvalsplit_places205/val_places205\.csv, val;',
    ):
        Places205('val', root=tmp_path, labeled=True)
    with pytest.raises(ConfigError, match="Places205 has no split 'test'"):
        Places205('test', root=tmp_path)


# any folder, without labels


def test_any_folder_of_images_has_samples_without_labels(shared_imagenet):
    data = Unlabeled(shared_imagenet, views=[PLAIN, PLAIN])
    assert len(data) == 64
    assert data.num_views == 2
    assert {data[index]['labels'] for index in (0, 20, 63)} == {-1}
    assert (data.num_classes, data.classes) == (0, None)
    assert data.index.path(0) == os.fspath(shared_imagenet / data.index.names[0])


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match='holds no image'):
        Unlabeled(tmp_path)


def test_a_folder_that_changes_under_a_running_job(imagenet):
    """What comes is not seen, what goes is replaced and named, and much of it ends the run."""
    data = Unlabeled(imagenet / 'train', views=[PLAIN])
    paths = [data.index.path(index) for index in range(len(data))]
    shutil.copy(paths[0], imagenet / 'train/aaa.JPEG')
    assert [data.index.path(index) for index in range(len(data))] == paths
    gone = Path(paths[0]).parent
    gone.rename(imagenet / 'elsewhere')
    assert data[0]['images'][0].shape == (3, 8, 8)  # one alone never ends a run
    with pytest.raises(DataError) as caught:
        [data[index] for index in range(len(data))]
    assert str(gone / Path(paths[0]).name) in str(caught.value)


# any folder with train/ and val/ or test/


def write(root: Path, split: str, classes: str, images: int = 2) -> None:
    for place, name in enumerate(classes):
        for number in range(images):
            path = root / split / name / f'{number}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8, 3), place, dtype=np.uint8)).save(path)


def build(root: Path, split: str):
    return DATASETS.build(dict(type='SplitFolder', root=str(root), split=split))


@pytest.mark.parametrize('other', ['val', 'test'])
def test_either_name_of_the_second_part_will_do(tmp_path, other):
    write(tmp_path, 'train', 'abc', images=3)
    write(tmp_path, other, 'abc')
    assert len(build(tmp_path, 'train')) == 9
    for split in ('val', 'test'):
        dataset = build(tmp_path, split)
        assert (len(dataset), dataset.num_classes, Path(dataset.index.folder).name) == (6, 3, other)


def test_each_split_is_its_own_where_both_are_there(tmp_path):
    for split in ('train', 'val', 'test'):
        write(tmp_path, split, 'ab')
    assert [Path(build(tmp_path, split).index.folder).name for split in ('val', 'test')] == ['val', 'test']


def test_other_classes_are_refused(tmp_path):
    write(tmp_path, 'train', 'abc')
    write(tmp_path, 'val', 'abd')
    with pytest.raises(DataError, match='different class folders'):
        build(tmp_path, 'val')


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match=r'there is no train/ in .*DATA_ROOT=/path'):
        build(tmp_path, 'train')
    write(tmp_path, 'train', 'ab')
    with pytest.raises(DataError, match='there is no val/ or test/'):
        build(tmp_path, 'val')
