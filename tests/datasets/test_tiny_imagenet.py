"""TinyImageNet: as published, decoded once, and what is wrong with a folder."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from imagenet_folder import make_imagenet_folder, truncate
from made_up_tiny_imagenet import write_tiny_imagenet
from PIL import Image

from binssl.datasets import ImageList, TinyImageNet, tiny_imagenet
from binssl.registry import ConfigError, DataError

VIEWS = [[dict(type='BatchResize', size=96), dict(type='BatchRotate'), dict(type='PhotoFlip')]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """24 + 8 images in 4 classes."""
    return write_tiny_imagenet(tmp_path / 'tiny')


def cached(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.suffix not in ('.txt', ''))


def decode(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert('RGB')).transpose(2, 0, 1)


def count_decodings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    paths: list[str] = []
    read = tiny_imagenet.read_image
    monkeypatch.setattr(tiny_imagenet, 'read_image', lambda path: paths.append(path) or read(path))
    return paths


def test_train_is_what_image_folder_reads(root):
    data, reference = TinyImageNet(root=root), torchvision.datasets.ImageFolder(root / 'train')
    assert data.labels.tolist() == reference.targets
    assert data.num_classes == 4
    for image, (path, _) in zip(data.images, reference.samples, strict=True):
        np.testing.assert_array_equal(image, decode(Path(path)))


def test_val_has_the_labels_of_its_list(root):
    data = TinyImageNet('val', root=root)
    classes = sorted(os.listdir(root / 'train'))
    rows = [line.split('\t') for line in (root / 'val/val_annotations.txt').read_text().splitlines()]
    assert data.labels.tolist() == [classes.index(row[1]) for row in rows]
    for image, row in zip(data.images, rows, strict=True):
        np.testing.assert_array_equal(image, decode(root / 'val/images' / row[0]))


def test_a_gray_image_becomes_rgb(root):
    path = root / 'val/images/val_0.JPEG'
    Image.open(path).convert('L').save(path)
    image = TinyImageNet('val', root=root)[0]['images'][0]
    assert torch.equal(image[0], image[1])


def test_without_a_root_it_is_looked_for_in_data(root, tmp_path, monkeypatch):
    (tmp_path / 'data').mkdir()
    root.rename(tmp_path / 'data/tiny-imagenet-200')
    monkeypatch.chdir(tmp_path)
    assert len(TinyImageNet()) == 24


def test_it_is_augmented_by_the_batch(root):
    data = TinyImageNet(root=root, views=VIEWS, seed=2)
    batch = data.__getitems__([(5, 1), (9, 1)])
    assert batch['images'][0].shape == (2, 3, 96, 96)
    assert torch.equal(batch['images'][0][1], data[(9, 1)]['images'][0])


# the decoded file


def test_images_are_decoded_once(root, monkeypatch):
    first = TinyImageNet(root=root)
    decoded = count_decodings(monkeypatch)
    again = TinyImageNet(root=root)
    assert decoded == []
    assert torch.equal(first.images, again.images)
    assert len(cached(root)) == 1


def test_the_file_is_shared_but_not_written_to(root):
    TinyImageNet(root=root)
    data = TinyImageNet(root=root)
    data.images.zero_()
    assert TinyImageNet(root=root).images.any()


@pytest.mark.parametrize('change', ['replace', 'touch', 'rename'])
def test_changed_images_are_decoded_again_and_the_old_file_goes(root, change, monkeypatch):
    TinyImageNet(root=root)
    before = cached(root)
    folder = root / 'train' / min(os.listdir(root / 'train')) / 'images'
    one, other = sorted(folder.iterdir())[:2]
    if change == 'replace':
        shutil.copy(other, one)
    elif change == 'touch':
        os.utime(one, ns=(0, 0))
    else:
        one.rename(folder / 'a.JPEG')
    decoded = count_decodings(monkeypatch)
    data = TinyImageNet(root=root)
    assert len(decoded) == 24
    np.testing.assert_array_equal(data.images[0], decode(sorted(folder.iterdir())[0]))
    assert len(cached(root)) == 1
    assert cached(root) != before


def test_each_split_has_a_file(root):
    TinyImageNet('train', root=root)
    TinyImageNet('val', root=root)
    assert len(cached(root)) == 2


@pytest.mark.parametrize('fraction', [0.0, 0.001, 0.5])
def test_a_damaged_file_is_written_again(root, fraction, monkeypatch):
    expected = TinyImageNet(root=root).images.clone()
    truncate(root / cached(root)[0], fraction)
    decoded = count_decodings(monkeypatch)
    assert torch.equal(TinyImageNet(root=root).images, expected)
    assert len(decoded) == 24
    assert torch.equal(TinyImageNet(root=root).images, expected)
    assert len(decoded) == 24


@pytest.mark.parametrize('when', ['open', 'write'])
def test_a_folder_that_cannot_be_written_is_read_all_the_same(root, when, monkeypatch):
    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, 'Permission denied')

    owner, name = (tiny_imagenet, 'replace_file') if when == 'open' else (tiny_imagenet.np, 'save')
    monkeypatch.setattr(owner, name, refuse)
    data = TinyImageNet('val', root=root)
    np.testing.assert_array_equal(data.images[0], decode(root / 'val/images/val_0.JPEG'))
    assert cached(root) == []


# what is refused


def test_a_wrong_split_is_an_error(root):
    with pytest.raises(ConfigError, match="TinyImageNet has no split 'test'; known: train, val"):
        TinyImageNet('test', root=root)


def test_another_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r'there is no wnids\.txt.*--download.*train_dataloader\.dataset\.root='):
        TinyImageNet(root=make_imagenet_folder(tmp_path))


def test_a_folder_without_classes_is_an_error(root):
    (root / 'wnids.txt').write_text('\n')
    shutil.rmtree(root / 'train')
    with pytest.raises(DataError, match=r'wnids\.txt. names no class'):
        TinyImageNet(root=root)


@pytest.mark.parametrize('split', ['train', 'val'])
def test_missing_class_folders_are_an_error_for_both_splits(root, split):
    name = max(os.listdir(root / 'train'))
    shutil.rmtree(root / 'train' / name)
    with pytest.raises(DataError, match=rf"3 class folders and wnids\.txt names 4: only one of them has '{name}'"):
        TinyImageNet(split, root=root)


def test_a_class_folder_extracted_in_part_is_an_error(root):
    folder = root / 'train' / sorted(os.listdir(root / 'train'))[2] / 'images'
    (folder / min(os.listdir(folder))).unlink()
    with pytest.raises(DataError, match=rf'{folder.parent.name}.*holds 5 JPEG images.*largest class 6.*in part'):
        TinyImageNet(root=root)


def test_rearranged_training_images_are_an_error(root):
    for folder in (root / 'train').iterdir():
        for image in (folder / 'images').iterdir():
            image.rename(folder / image.name)
    with pytest.raises(DataError, match='holds 0 JPEG images'):
        TinyImageNet(root=root)


def test_a_val_sorted_into_class_folders_is_an_error(root):
    (root / 'val/val_annotations.txt').unlink()
    with pytest.raises(DataError, match='extracted in part, or its validation images were sorted'):
        TinyImageNet('val', root=root)


def test_missing_validation_images_are_an_error(root):
    for number in (2, 5):
        (root / f'val/images/val_{number}.JPEG').unlink()
    with pytest.raises(DataError, match=r"lacks 2 of 8 images.*such as 'val_2\.JPEG'"):
        TinyImageNet('val', root=root)


@pytest.mark.parametrize('row', ['val_2.JPEG\tn99999999\t0\t0\t1\t1', 'val_2.JPEG'])
def test_a_class_that_train_does_not_have_is_an_error(root, row):
    listing = root / 'val/val_annotations.txt'
    rows = listing.read_text().splitlines()
    listing.write_text('\n'.join([*rows[:2], row, *rows[3:]]))
    with pytest.raises(DataError, match=r"line 3: \['val_2\.JPEG'.*one of the 4 classes"):
        TinyImageNet('val', root=root)


def test_a_class_that_val_does_not_have_is_an_error(root):
    listing = root / 'val/val_annotations.txt'
    gone = min(os.listdir(root / 'train'))
    listing.write_text('\n'.join(line for line in listing.read_text().splitlines() if gone not in line))
    with pytest.raises(DataError, match=rf"no image of class '{gone}', which train has"):
        TinyImageNet('val', root=root)


def test_an_image_of_another_size_is_an_error(root):
    Image.new('RGB', (65, 64)).save(root / 'val/images/val_3.JPEG')
    with pytest.raises(DataError, match=r'val_3\.JPEG. has 65 x 64 px, the images of this set 64 x 64'):
        TinyImageNet('val', root=root)


def test_an_image_that_cannot_be_decoded_is_an_error(root):
    truncate(root / 'val/images/val_3.JPEG', 0.3)
    with pytest.raises(DataError, match=r'val_3\.JPEG. cannot be decoded.*extract the set again'):
        TinyImageNet('val', root=root)
    assert cached(root) == []


def test_minus_one_in_a_labelled_list_is_an_error(tmp_path):
    folder = make_imagenet_folder(tmp_path)
    lines = (folder / 'meta/val_labeled.txt').read_text().splitlines()
    lines[1] = lines[1].rpartition(' ')[0] + ' -1'
    (folder / 'list.txt').write_text('\n'.join(lines))
    with pytest.raises(DataError, match=r'line 2: label -1 of .* between 0 and 3; a list without labels has'):
        ImageList(folder / 'list.txt', folder / 'val', num_classes=4)
