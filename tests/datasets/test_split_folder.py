"""Any image folder with train/ and val/ or test/."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from binssl.registry import DATASETS, DataError


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
