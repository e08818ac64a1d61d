"""One transform in a worker and on a batch: from the same keys the same pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from binssl.core.randomness import hash_counters
from binssl.registry import TRANSFORMS
from binssl.views.build import ARRAY, BATCH, build_views

COUNT = 64
KEYS = hash_counters(5, 2, np.arange(COUNT))
STRONG = dict(brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2)
ONE_CHANGE = [
    ('Jitter', dict(brightness=0.4)),
    ('Jitter', dict(contrast=0.4)),
    ('Jitter', dict(saturation=0.4)),
    ('Jitter', dict(hue=0.5)),
    ('Grayscale', dict(p=0.5)),
    ('Blur', dict(p=0.8)),
]
SAME = [('Flip', {}), ('Solarize', dict(threshold=100)), ('Lighting', {}), ('Lighting', dict(as_released=True))]


def photos(kind: str) -> np.ndarray:
    """uint8 (COUNT, 40, 48, 3): noise, or smooth colours with a little of it."""
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (COUNT, 40, 48, 3), dtype=np.uint8)
    if kind == 'noise':
        return noise
    smooth = [cv2.resize(picture[:6, :6], (48, 40), interpolation=cv2.INTER_CUBIC) for picture in noise]
    return np.clip(np.stack(smooth) + random.normal(0, 10, noise.shape), 0, 255).astype(np.uint8)


def distances(kind: str, changes: list[tuple[str, dict]]) -> np.ndarray:
    """Between the two ways through ``changes``, in grey levels; both must have done something."""
    pictures = photos(kind)
    batch = torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()
    configs = [[dict(settings, type=f'Photo{name}') for name, settings in changes]]
    (one,), (whole,) = (build_views(configs, 'test', takes=takes) for takes in (ARRAY, BATCH))
    ours = whole(batch, KEYS).permute(0, 2, 3, 1).numpy()
    assert (ours != pictures).any()
    return np.abs(np.stack(list(one(pictures, KEYS))).astype(int) - ours)


@pytest.mark.parametrize('kind', ['noise', 'photos'])
@pytest.mark.parametrize(('name', 'settings'), ONE_CHANGE)
def test_one_change_is_within_a_grey_level(kind, name, settings):
    apart = distances(kind, [(name, settings)])
    assert apart.max() <= 1
    assert apart.mean() < 0.01


@pytest.mark.parametrize(('name', 'settings'), SAME)
def test_the_simple_ones_give_the_same_pixels(name, settings):
    assert distances('noise', [(name, settings)]).max() == 0


@pytest.mark.parametrize('kind', ['noise', 'photos'])
def test_four_changes_in_a_row_are_within_two_grey_levels_almost_everywhere(kind):
    apart = distances(kind, [('Jitter', STRONG)])
    # a level that one operation has cut down differently, the next ones may stretch
    assert (apart > 2).mean() < 5e-4
    assert apart.max() <= 8
    assert apart.mean() < 0.01


def test_a_whole_view_is_within_two_grey_levels_almost_everywhere():
    # solarised first: at its threshold a level more is another pixel
    apart = distances(
        'photos',
        [
            ('Solarize', dict(p=0.2)),
            ('Jitter', dict(STRONG, p=0.8)),
            ('Grayscale', dict(p=0.2)),
            ('Blur', dict(p=0.5)),
            ('Flip', {}),
        ],
    )
    assert (apart > 2).mean() < 5e-4


@pytest.mark.parametrize('name', ['Jitter', 'Grayscale', 'Blur', 'Solarize', 'Lighting', 'Flip'])
def test_the_older_name_of_a_transform_stays(name):
    assert TRANSFORMS.get(f'Batch{name}') is TRANSFORMS.get(f'Photo{name}') is not None
