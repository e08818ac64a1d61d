"""Features in the place of images: what the loader gets of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from binssl.datasets import CachedFeatures
from binssl.registry import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = np.arange(15, dtype=np.float32).reshape(5, 3)
    np.save(tmp_path / 'neck.npy', rows)
    np.save(tmp_path / 'labels.npy', np.array([0, 1, 0, 1, 2]))
    files = {'neck.npy': 'n', 'labels.npy': 'l'}
    facts = dict(layers=dict(neck=3), num_classes=3, classes=['a', 'b', 'c'], files=files)
    (tmp_path / 'features.json').write_text(json.dumps(facts))
    return tmp_path


def test_a_batch_has_the_rows_that_were_asked_for_in_any_epoch(folder: Path) -> None:
    data = CachedFeatures(folder)
    assert (len(data), data.num_views, data.num_classes, data.classes) == (5, 1, 3, ['a', 'b', 'c'])
    batch = data.__getitems__([(4, 0), (1, 7), 4])
    (features,) = batch['images']
    assert torch.equal(features, torch.tensor([[12.0, 13, 14], [3, 4, 5], [12, 13, 14]]))
    assert batch['labels'].tolist() == [2, 1, 2]
    assert batch['indices'].tolist() == [4, 1, 4]
    sample = data[(1, 3)]
    assert sample['images'][0].tolist() == [3, 4, 5]
    assert int(sample['labels']) == 1


def test_an_index_outside_is_an_error(folder: Path) -> None:
    with pytest.raises(IndexError, match='5 is not among the 5'):
        CachedFeatures(folder)[5]


def test_what_is_not_there_or_not_whole_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'holds no features.*--cache-features'):
        CachedFeatures(tmp_path / 'nowhere')
    with pytest.raises(DataError, match="no features of layer 'nek'; did you mean 'neck'"):
        CachedFeatures(folder, layer='nek')
    np.save(folder / 'labels.npy', np.arange(4))
    with pytest.raises(DataError, match='5 rows of features, 4 of labels'):
        CachedFeatures(folder)
    content = (folder / 'neck.npy').read_bytes()
    (folder / 'neck.npy').write_bytes(content[:-8])
    with pytest.raises(DataError, match='is not whole'):
        CachedFeatures(folder)
