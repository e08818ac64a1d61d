"""List files, integer ids and subsets: what the data sets then read, and which images a subset has."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from imagenet_folder import make_imagenet_folder

from binssl.data_tools.lists import draw_stratified, link_by_id, write_lists, write_subset
from binssl.datasets import ImageFolder, ImageList, ImageNet
from binssl.datasets.folder_files import index_folder
from binssl.datasets.subsets import share_out
from binssl.registry import ConfigError, DataError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """12 + 4 JPEGs in 3 classes, without lists."""
    return make_imagenet_folder(tmp_path / 'imagenet', train=12, val=4, classes=3, size=(8, 6), lists=False)


def touch_images(folder: Path, sizes: list[int]) -> Path:
    """Class folders of empty files, ``sizes`` of them."""
    for label, count in enumerate(sizes):
        place = folder / 'train' / f'c{label:03d}'
        place.mkdir(parents=True)
        for number in range(count):
            (place / f'c{label:03d}_{number}.JPEG').touch()
    return folder


# lists


def test_lists_are_the_published_ones(root, tmp_path):
    write_lists(root)
    expected = make_imagenet_folder(tmp_path / 'other', train=12, val=4, classes=3, size=(8, 6), lists=True)
    for name in ('train', 'train_labeled', 'val', 'val_labeled'):
        lines = (root / f'meta/{name}.txt').read_text().splitlines()
        assert sorted(lines) == sorted((expected / f'meta/{name}.txt').read_text().splitlines())
    classes = sorted(os.listdir(root / 'train'))
    assert (root / 'meta/class_ids.txt').read_text() == ''.join(f'{name} {n}\n' for n, name in enumerate(classes))


def test_what_is_read_by_list_is_what_is_read_by_folder(root):
    write_lists(root)
    by_list = ImageNet('train', root, source='list', labeled=True, num_classes=3)
    by_folder = ImageNet('train', root, source='folder', labeled=True, num_classes=3)
    assert by_list.index.labels.tolist() == by_folder.index.labels.tolist()
    paths = [[os.path.realpath(data.index.path(n)) for n in range(len(data))] for data in (by_list, by_folder)]
    assert paths[0] == paths[1]


def test_the_same_lists_are_kept_and_others_are_not_overwritten_unasked(root):
    write_lists(root)
    assert all(line.startswith('kept ') for line in write_lists(root))
    mine = root / 'meta/val.txt'
    mine.write_text('mine\n')
    with pytest.raises(DataError, match=r"val\.txt' is there already, and another one; .*--overwrite"):
        write_lists(root)
    assert mine.read_text() == 'mine\n'
    assert any(line.startswith(f"wrote '{mine}'") for line in write_lists(root, overwrite=True))
    assert mine.read_text() != 'mine\n'


def test_one_split_alone_is_listed_and_a_split_that_was_asked_for_must_be_there(root):
    shutil.rmtree(root / 'val')
    write_lists(root)
    assert sorted(os.listdir(root / 'meta')) == ['class_ids.txt', 'train.txt', 'train_labeled.txt']
    with pytest.raises(DataError, match='holds no vla; expected is SPLIT/CLASS/IMAGE'):
        write_lists(root, ['train', 'vla'])


def test_no_split_is_an_error(tmp_path):
    with pytest.raises(DataError, match='holds no train and no val'):
        write_lists(tmp_path)


def test_other_classes_in_val_are_an_error(root):
    os.rename(root / 'val' / 'n01440764', root / 'val' / 'n09999999')
    with pytest.raises(DataError, match=r"different class folders .*: only '.*' has 'n01440764'"):
        write_lists(root)
    assert not (root / 'meta').exists()


def test_names_that_are_not_utf8_keep_their_bytes(root):
    odd = os.fsencode(root / 'train/n01440764') + b'/caf\xe9.JPEG'
    os.link(next((root / 'train/n01440764').iterdir()), odd)
    write_lists(root, ['train'])
    assert b'n01440764/caf\xe9.JPEG 0\n' in (root / 'meta/train_labeled.txt').read_bytes()
    data = ImageList(root / 'meta/train_labeled.txt', root / 'train')
    assert odd in {os.fsencode(data.index.path(n)) for n in range(len(data))}


def test_a_name_with_a_line_break_is_an_error(root):
    (root / 'train/n01440764/a\nb.JPEG').touch()
    with pytest.raises(DataError, match='holds a line break'):
        write_lists(root)


# integer ids


def test_links_by_id_read_as_the_same_set(root, tmp_path):
    link_by_id(root, tmp_path / 'ids')
    assert link_by_id(root, tmp_path / 'ids')[0].startswith('linked 3 classes of train')
    assert sorted(os.listdir(tmp_path / 'ids/train')) == ['0', '1', '2']
    data, reference = ImageFolder(tmp_path / 'ids/train'), ImageFolder(root / 'train')
    for n in range(len(data)):
        assert os.path.realpath(data.index.path(n)) == os.path.realpath(reference.index.path(n))
    assert data.index.labels.tolist() == reference.index.labels.tolist()


def test_ids_sort_as_names_as_they_do_as_numbers(tmp_path):
    root = touch_images(tmp_path / 'root', [1] * 12)
    link_by_id(root, tmp_path / 'ids')
    names = sorted(os.listdir(tmp_path / 'ids/train'))
    assert [int(name) for name in names] == list(range(12))
    assert [os.path.realpath(tmp_path / 'ids/train' / name)[-4:] for name in names] == [f'c{n:03d}' for n in range(12)]


def test_both_folders_can_be_moved_together(root, tmp_path):
    place = tmp_path / 'a'
    place.mkdir()
    root.rename(place / 'imagenet')
    link_by_id(place / 'imagenet', place / 'ids')
    place.rename(tmp_path / 'b')
    assert len(ImageFolder(tmp_path / 'b/ids/train')) == 12


def test_something_else_at_a_links_place_is_left(root, tmp_path):
    (tmp_path / 'ids/train/1').mkdir(parents=True)
    with pytest.raises(DataError, match=r"train/1' is there and is no link to"):
        link_by_id(root, tmp_path / 'ids')
    assert not (tmp_path / 'ids/train/1').is_symlink()


# subsets


@pytest.mark.parametrize('percent', [10, 33])
def test_a_draw_is_stratified(tmp_path, percent):
    sizes = [70, 73, 131, 4, 3]
    index = index_folder(touch_images(tmp_path, sizes) / 'train')
    counts = np.bincount(index.labels[draw_stratified(index, percent, 0)], minlength=5)
    exact = np.array(sizes) * percent / 100
    assert (np.abs(counts - exact) <= 1).all()
    assert (counts >= 1).all()
    raised = np.maximum(1 - exact, 0).sum()  # classes of which a share would be less than one image
    assert abs(counts.sum() - exact.sum()) <= 0.5 + raised


def test_shares_by_largest_remainders():
    # 30 %: 2.1, 1.5, 0.9, 3.0; floors 2, 1, 1 (at least one), 3; 25 in all make round(7.5) = 8, so one is left for 0.5
    assert share_out([7, 5, 3, 10], 30) == [2, 2, 1, 3]
    assert share_out([1, 1, 1], 1) == [1, 1, 1]
    assert share_out([1000, 1000], 10) == [100, 100]


def test_every_image_of_a_class_is_as_likely(tmp_path):
    index = index_folder(touch_images(tmp_path, [20]) / 'train')
    drawn = np.bincount(np.concatenate([draw_stratified(index, 25, seed) for seed in range(400)]), minlength=20)
    # 400 x 5 / 20 = 100 of each; standard deviation of a binomial(400, 1/4): 8.7
    assert (np.abs(drawn - 100) < 4.5 * 8.7).all()


def test_a_smaller_subset_lies_within_a_larger_and_seeds_differ(tmp_path):
    index = index_folder(touch_images(tmp_path, [200, 300]) / 'train')
    one, ten, other = (set(draw_stratified(index, p, seed)) for p, seed in ((1, 0), (10, 0), (10, 1)))
    assert one < ten
    assert len(ten) == len(other) == 50
    assert len(ten & other) < 20


def test_a_draw_depends_on_names_only(tmp_path):
    index = index_folder(touch_images(tmp_path, [50, 50]) / 'train')
    before = {index.names[n] for n in draw_stratified(index, 10, 3)}
    (tmp_path / 'train/c000').rename(tmp_path / 'train/z000')  # the classes change places
    for file in (tmp_path / 'train/z000').iterdir():
        file.touch()
    after_index = index_folder(tmp_path / 'train')
    after = {after_index.names[n] for n in draw_stratified(after_index, 10, 3)}
    assert {name for name in before if name.startswith('c001')} == {name for name in after if name.startswith('c001')}


def test_a_drawn_subset_is_read_and_says_what_it_is(root):
    lines = write_subset(root, 50, seed=4)
    assert 'it is not the one that SimCLR published' in lines[-1]
    data = ImageList(root / 'meta/train_labeled_50percent.txt', root / 'train', num_classes=3)
    assert np.bincount(data.index.labels).tolist() == [2, 2, 2]
    made = json.loads((root / 'meta/train_labeled_50percent.json').read_text())
    assert made['source'] == 'drawn, stratified by class, seed 4'
    assert (made['images'], made['of'], made['classes']) == (6, 12, 3)
    assert all(line.startswith(('kept ', 'note: ')) for line in write_subset(root, 50, seed=4))
    with pytest.raises(DataError, match='is there already, and another one'):
        write_subset(root, 50, seed=5)


def test_lists_and_folders_give_the_same_subset(root):
    write_subset(root, 50)
    text = (root / 'meta/train_labeled_50percent.txt').read_text()
    write_lists(root)
    write_subset(root, 50)
    assert (root / 'meta/train_labeled_50percent.txt').read_text() == text


def test_the_official_subset_is_taken_as_it_is(root, tmp_path):
    named = ['n01442764_8.JPEG', 'n01440764_3.JPEG', 'n01442764_2.JPEG']
    (tmp_path / '25percent.txt').write_text('\n'.join(named))
    lines = write_subset(root, 25, official=tmp_path / '25percent.txt')
    assert not any('note' in line for line in lines)
    written = (root / 'meta/train_labeled_25percent.txt').read_text().splitlines()
    assert sorted(written) == sorted(f'{name[:9]}/{name} {2 if name.startswith("n01442764") else 0}' for name in named)
    assert json.loads((root / 'meta/train_labeled_25percent.json').read_text())['source'] == "the list '25percent.txt'"


def test_an_official_list_of_another_share_is_an_error(root, tmp_path):
    (tmp_path / 'list.txt').write_text('n01440764_3.JPEG\nn01440764_0.JPEG\nn01440764_6.JPEG\n')
    with pytest.raises(DataError, match='names 3 of 12 images, 25 % and not 10'):
        write_subset(root, 10, official=tmp_path / 'list.txt')


def test_an_official_list_of_other_images_is_an_error(root, tmp_path):
    (tmp_path / 'list.txt').write_text('n01440764_3.JPEG\nn01440764_77.JPEG\n')
    with pytest.raises(DataError, match=r"names 1 of 2 images that are not in .*'n01440764_77\.JPEG'"):
        write_subset(root, 10, official=tmp_path / 'list.txt')


def test_an_official_list_that_is_not_there_is_an_error(root, tmp_path):
    with pytest.raises(DataError, match=r'cannot be read: No such file.*simclr'):
        write_subset(root, 10, official=tmp_path / 'none.txt')
    (tmp_path / 'empty.txt').write_text('\n')
    with pytest.raises(DataError, match='names no image'):
        write_subset(root, 10, official=tmp_path / 'empty.txt')


def test_a_name_that_two_images_have_is_an_error(root, tmp_path):
    os.link(root / 'train/n01440764/n01440764_3.JPEG', root / 'train/n01442764/n01440764_3.JPEG')
    (tmp_path / 'list.txt').write_text('n01440764_3.JPEG\n')
    with pytest.raises(DataError, match='have one name'):
        write_subset(root, 10, official=tmp_path / 'list.txt')


@pytest.mark.parametrize('percent', [0, 100, -1, float('nan')])
def test_no_share_is_an_error(root, percent):
    with pytest.raises(ConfigError, match='must lie above 0 and below 100'):
        write_subset(root, percent)
