"""Places205 and folders of images without labels."""

import os
import shutil
from pathlib import Path

import pytest

from binssl.datasets import Places205, Unlabeled
from binssl.registry import DATASETS, ConfigError, DataError

PLAIN = [dict(type='torchvision/Resize', size=(8, 8))]


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
