"""Pascal VOC with boxes: as its files say, mirrored as the counter says, and refused where something is wrong."""

from pathlib import Path

import numpy as np
import pytest
import torch
from made_up_voc_boxes import make_devkit, write_annotation
from PIL import Image

from binssl.datasets import VOCDetection, read_annotation
from binssl.registry import DATASETS, ConfigError, DataError

TRAIN, LATER = ('VOC2007', 'trainval'), ('VOC2012', 'trainval')


@pytest.fixture
def devkit(tmp_path: Path) -> Path:
    return make_devkit(tmp_path / 'VOCdevkit', {TRAIN: 5, LATER: 2})


def first_annotation(devkit: Path) -> Path:
    return devkit / 'VOC2007' / 'Annotations' / 'trainval_000000.xml'


def test_a_box_reaches_from_edge_to_edge_and_parts_are_passed_over(tmp_path):
    file = tmp_path / 'VOC2007' / 'Annotations' / '1.xml'
    write_annotation(file, (50, 40), [('dog', (1, 1, 50, 40), 0), ('tvmonitor', (11, 6, 20.5, 6), 1)])
    known = read_annotation(file)
    assert known.size == (50, 40)
    np.testing.assert_array_equal(known.boxes, np.array([[0, 0, 50, 40], [10, 5, 20.5, 6]], dtype=np.float32))
    assert known.labels.tolist() == [11, 19]
    assert known.difficult.tolist() == [False, True]


def test_a_box_a_pixel_over_the_border_is_cut_off_there(tmp_path):
    file = tmp_path / 'VOC2007' / 'Annotations' / '1.xml'
    write_annotation(file, (50, 40), [('dog', (0, 3, 51, 41), 0)])
    np.testing.assert_array_equal(read_annotation(file).boxes, [[0, 2, 50, 40]])


def test_sets_follow_each_other_in_the_order_of_their_lists(devkit):
    data = VOCDetection([TRAIN, LATER], devkit)
    assert len(data) == 7
    assert [Path(path).parts[-3] for path in data.paths] == ['VOC2007'] * 5 + ['VOC2012'] * 2
    sample = data[(4, 0)]
    assert sample['images'].dtype == torch.uint8
    assert sample['images'].shape[1:] == Image.open(data.paths[4]).size[::-1]
    assert sample['difficult'].tolist() == [False, True]
    assert sample['indices'] == 4


def test_objects_lie_where_the_boxes_say_also_in_mirrored_images(devkit):
    for probability in (0.0, 1.0):
        sample = VOCDetection([TRAIN], devkit, flip_probability=probability)[0]
        left, top, right, bottom = sample['boxes'][0].int().tolist()
        inside = sample['images'][:, top + 2 : bottom - 2, left + 2 : right - 2].float()
        assert inside.std(dim=(1, 2)).max() < 12  # one colour; the noise around it has 17
        outside = sample['images'].float().std(dim=(1, 2))
        assert outside.min() > 12


def test_mirroring_is_decided_by_seed_epoch_and_index_alone(devkit):
    data, again, other = (VOCDetection([TRAIN], devkit, flip_probability=0.5, seed=seed) for seed in (0, 0, 1))
    keys = [(index, epoch) for epoch in range(8) for index in range(5)]
    boxes, repeated, differing = ([part[key]['boxes'] for key in keys] for part in (data, again, other))
    assert all(map(torch.equal, boxes, repeated))
    assert not all(map(torch.equal, boxes, differing))
    plain = VOCDetection([TRAIN], devkit)
    mirrored = sum(not torch.equal(box, plain[key]['boxes']) for box, key in zip(boxes, keys, strict=True))
    assert 10 <= mirrored <= 30  # of 40


def test_a_batch_is_a_list_of_each_and_collated_as_it_is(devkit):
    data = DATASETS.build(dict(type='VOCDetection', sets=[TRAIN], root=str(devkit)))
    batch = data.__getitems__([(0, 0), (3, 0)])
    assert batch['indices'].tolist() == [0, 3]
    assert [len(batch[name]) for name in ('images', 'boxes', 'labels', 'difficult')] == [2] * 4
    assert torch.equal(batch['boxes'][1], data[3]['boxes'])


@pytest.mark.parametrize(
    ('objects', 'message'),
    [
        ([('unicorn', (2, 2, 9, 9), 0)], "'unicorn' is none of VOC's 20 classes .*; extract the archive"),
        ([('dog', (9, 2, 8, 9), 0)], 'is empty'),
        ([('dog', (2, 9, 9, 8), 0)], 'is empty'),
        ([('dog', (2, 2, 500, 9), 0)], 'lies outside the image'),
        ([('dog', (-3, 2, 9, 9), 0)], 'is no number of pixels'),
        ([('dog', ('nan', 2, 9, 9), 0)], 'is no number of pixels'),
        ([('dog', ('', 2, 9, 9), 0)], 'is no number of pixels'),
    ],
)
def test_a_broken_box_is_told_with_its_file_at_construction(devkit, objects, message):
    write_annotation(first_annotation(devkit), (96, 96), objects)
    with pytest.raises(DataError, match=message) as told:
        VOCDetection([TRAIN], devkit)
    assert 'trainval_000000.xml' in str(told.value)


@pytest.mark.parametrize('text', ['', '<annotation><size>', '<html></html>', 'no xml'])
def test_what_is_no_annotation_is_told_with_its_file(devkit, text):
    first_annotation(devkit).write_text(text)
    with pytest.raises(DataError, match=r'trainval_000000\.xml'):
        VOCDetection([TRAIN], devkit)


def test_missing_files_are_told_at_construction(devkit):
    (devkit / 'VOC2012' / 'JPEGImages' / 'trainval_000001.jpg').unlink()
    with pytest.raises(DataError, match=r"1 of 7 images are missing, such as '.*VOC2012.*trainval_000001\.jpg'"):
        VOCDetection([TRAIN, LATER], devkit)
    first_annotation(devkit).unlink()
    with pytest.raises(DataError, match=r'trainval_000000\.xml'):
        VOCDetection([TRAIN], devkit)
    with pytest.raises(DataError, match=r'test\.txt.*expected is the folder VOCdevkit'):
        VOCDetection([('VOC2007', 'test')], devkit)
    (devkit / 'VOC2007' / 'ImageSets' / 'Main' / 'trainval.txt').write_text('\n')
    with pytest.raises(DataError, match='names no image'):
        VOCDetection([TRAIN], devkit)


def test_a_damaged_image_or_that_of_other_boxes_is_told_when_it_is_read(devkit):
    data = VOCDetection([TRAIN], devkit)
    Image.new('RGB', (10, 10)).save(data.paths[0])
    with pytest.raises(DataError, match=r'10 x 10 pixels, its annotation says'):
        data[0]
    Path(data.paths[1]).write_bytes(b'\xff\xd8 cut off')
    with pytest.raises(DataError, match=r'trainval_000001\.jpg. cannot be decoded'):
        data[1]


def test_settings_are_checked(devkit):
    with pytest.raises(ConfigError, match='give pairs such as'):
        VOCDetection(['VOC2007'], devkit)
    with pytest.raises(ConfigError, match='flip_probability'):
        VOCDetection([TRAIN], devkit, flip_probability=2)
    with pytest.raises(IndexError):
        VOCDetection([TRAIN], devkit)[5]
