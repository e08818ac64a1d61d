"""Views of different sizes: a part of a digit, and batches of large and small crops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from binssl.core.randomness import hash_counters
from binssl.datasets import Digits, EpochSampler, ImageNet, whole_batch
from binssl.views import DigitsAugment
from binssl.views.digits import warp_affine

GLOBAL = dict(type='DigitsAugment', degrees=20.0, translate=0.2, scale=(0.8, 1.2), shear=10.0)
LOCAL = dict(type='DigitsAugment', size=6, degrees=20.0, translate=0.25, scale=(1.35, 2.0), shear=10.0)
PHOTO_GLOBAL = [
    dict(type='torchvision/RandomResizedCrop', size=224, scale=(0.14, 1.0)),
    dict(type='torchvision/RandomHorizontalFlip'),
]
PHOTO_LOCAL = [
    dict(type='torchvision/RandomResizedCrop', size=96, scale=(0.05, 0.14)),
    dict(type='torchvision/RandomHorizontalFlip'),
]


@pytest.fixture
def images() -> np.ndarray:
    return np.random.RandomState(0).randint(0, 256, (5, 8, 8)).astype(np.float32)


def test_a_smaller_view_at_scale_one_shows_the_whole_image_and_at_eight_sixths_its_middle_pixel_by_pixel(images):
    keys = hash_counters(0, 0, np.arange(5))
    middle = DigitsAugment(size=6, scale=(8 / 6, 8 / 6))(images, keys)
    np.testing.assert_array_equal(middle, images[:, 1:7, 1:7])
    # 4 x 4 pixels, each the mean of 2 x 2: nothing is cut off
    whole = DigitsAugment(size=4)(images, keys).astype(float)
    np.testing.assert_allclose(whole, images.reshape(5, 4, 2, 4, 2).mean(axis=(2, 4)), atol=0.51)


@pytest.mark.parametrize(('shift', 'corner'), [((0, 0), (1, 1)), ((1, -1), (2, 0)), ((-1, 1), (0, 2))])
def test_a_part_can_be_taken_anywhere(images, shift, corner):
    # to move the content by a pixel of the image is to move it by 8 / 6 of the view's
    inverses, shifts = np.tile(np.eye(2) * 6 / 8, (5, 1, 1)), np.tile(np.array(shift) * 8 / 6, (5, 1))
    part = warp_affine(images, inverses, shifts, 6)
    column, row = 1 - shift[0], 1 - shift[1]
    assert (row, column) == corner
    np.testing.assert_allclose(part, images[:, row : row + 6, column : column + 6], atol=1e-3)


def load(data: Dataset, batch_size: int) -> list[dict]:
    return list(DataLoader(data, batch_size, sampler=EpochSampler(data), collate_fn=whole_batch))


@pytest.mark.parametrize('local', [0, 1, 6])
def test_a_batch_of_digits_has_a_tensor_a_view_of_its_own_size(local):
    data = Digits('test', views=[GLOBAL] * 2 + [LOCAL] * local, seed=3)
    assert data.num_views == 2 + local
    batch = load(data, 90)[0]
    assert [tuple(view.shape) for view in batch['images']] == [(90, 3, 8, 8)] * 2 + [(90, 3, 6, 6)] * local
    assert {view.dtype for view in batch['images']} == {torch.uint8}
    for view in range(2 + local):
        place = 17
        single = data[int(batch['indices'][place])]['images'][view]
        assert torch.equal(batch['images'][view][place], single)
    assert all(not torch.equal(batch['images'][2], other) for other in batch['images'][3:])


def test_a_local_crop_of_a_digit_shows_a_part_of_it_larger():
    plain = Digits('test').images
    share = DigitsAugment(size=6, scale=(1.35, 2.0))(plain, hash_counters(0, 0, np.arange(360))).astype(float)
    # the margins, which are dark, are cut off on the left and right
    assert share.mean() > 1.2 * plain.mean()


def test_a_batch_of_photos_has_a_tensor_a_view_of_its_own_size(shared_imagenet: Path):
    data = ImageNet('val', root=shared_imagenet, views=[PHOTO_GLOBAL] * 2 + [PHOTO_LOCAL] * 3, seed=3)
    assert data.num_views == 5
    batch = load(data, 4)[0]
    assert [tuple(view.shape) for view in batch['images']] == [(4, 3, 224, 224)] * 2 + [(4, 3, 96, 96)] * 3
    assert {view.dtype for view in batch['images']} == {torch.uint8}
    assert not torch.equal(batch['images'][2], batch['images'][3])
    single = data[int(batch['indices'][2])]
    assert all(torch.equal(view[2], alone) for view, alone in zip(batch['images'], single['images'], strict=True))
