"""What the photo transforms draw: torchvision's distributions, whoever else is in the batch."""

import itertools
import math

import cv2
import numpy as np
import pytest
import torch
from torchvision.transforms import ColorJitter, RandomResizedCrop

from binssl.core.randomness import hash_counters
from binssl.registry import ConfigError
from binssl.views.draws import (
    check_pair,
    draw_crops,
    draw_jitter,
    draw_lighting,
    draw_mask,
    draw_sigma,
    gaussian_taps,
    jitter_ranges,
)

SCALE, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)


def make_keys(count: int) -> np.ndarray:
    return hash_counters(5, 2, np.arange(count), stream=1)


def crops(count: int, height: int, width: int, scale=SCALE, ratio=RATIO) -> np.ndarray:
    return np.array([place_box(height, width) for place_box in draw_crops(make_keys(count), scale, ratio)])


def ranges_of(*settings: float | tuple[float, float]) -> tuple:
    names = ('brightness', 'contrast', 'saturation', 'hue')
    return jitter_ranges('Jitter', **dict(zip(names, settings, strict=True)))


def reference_crops(count: int, height: int, width: int, scale=SCALE, ratio=RATIO) -> np.ndarray:
    torch.manual_seed(0)
    image = torch.empty(3, height, width)
    return np.array([RandomResizedCrop.get_params(image, scale, ratio) for _ in range(count)])


def largest_gap(first: np.ndarray, second: np.ndarray) -> float:
    """Between the two empirical distribution functions (Kolmogorov and Smirnov)."""
    places = np.union1d(first, second)
    shares = [np.searchsorted(np.sort(part), places, side='right') / len(part) for part in (first, second)]
    return np.abs(shares[0] - shares[1]).max()


def gap_bound(first: int, second: int) -> float:
    """Passed with probability 1e-6 where both have one distribution."""
    return math.sqrt(math.log(2 / 1e-6) / 2 * (1 / first + 1 / second))


# crops


@pytest.mark.parametrize(
    ('height', 'width', 'scale'),
    [
        (375, 500, SCALE),
        (500, 333, (0.2, 1.0)),
        (150, 400, (0.35, 1.0)),  # flat: most tries fail, now and then all of them
    ],
)
def test_crops_are_distributed_as_torchvisions(height, width, scale):
    ours, theirs = crops(20_000, height, width, scale), reference_crops(4_000, height, width, scale)
    (top, left, high, wide), reference = ours.T, theirs.T
    assert (ours[:, :2] >= 0).all()
    assert (top + high <= height).all()
    assert (left + wide <= width).all()
    bound = gap_bound(20_000, 4_000)
    for number in range(4):
        assert largest_gap(ours[:, number], theirs[:, number]) < bound
    for mine, published in (
        (high * wide, reference[2] * reference[3]),
        (wide / high, reference[3] / reference[2]),
        ((top + high / 2) * (left + wide / 2), (reference[0] + reference[2] / 2) * (reference[1] + reference[3] / 2)),
    ):
        assert largest_gap(mine, published) < bound
        error = 5 * published.std() * math.sqrt(1 / 20_000 + 1 / 4_000)
        assert abs(mine.mean() - published.mean()) < error


def test_a_corner_is_uniform_over_the_places_that_its_box_has():
    boxes = crops(40_000, 60, 60, (0.25, 0.25), (1.0, 1.0))
    assert set(map(tuple, boxes[:, 2:])) == {(30, 30)}
    for corner in boxes.T[:2]:
        counts = np.bincount(corner, minlength=31)
        expected = 40_000 / 31
        assert ((counts - expected) ** 2 / expected).sum() < 80  # chi-squared, 30 degrees: 1e-6 is beyond


@pytest.mark.parametrize(('height', 'width'), [(10, 400), (400, 10), (1, 1), (1, 50)])
def test_where_no_box_fits_it_is_torchvisions_in_the_middle(height, width):
    for ratio in ((0.9, 1.1), (3 / 4, 4 / 3)):
        np.testing.assert_array_equal(
            crops(50, height, width, (0.9, 1.0), ratio)[:1], reference_crops(1, height, width, (0.9, 1.0), ratio)
        )


def test_one_sample_draws_alone_what_it_draws_in_company():
    keys = make_keys(40)
    together = [place_box(100 + n, 300 - n) for n, place_box in enumerate(draw_crops(keys, SCALE, RATIO))]
    ranges = ranges_of(0.4, 0.4, 0.4, 0.1)
    factors, orders = draw_jitter(keys, ranges)
    for n in (0, 17, 39):
        own = slice(n, n + 1)
        (place_box,) = draw_crops(keys[own], SCALE, RATIO)
        assert together[n] == place_box(100 + n, 300 - n)
        np.testing.assert_array_equal(factors[own], draw_jitter(keys[own], ranges)[0])
        np.testing.assert_array_equal(orders[own], draw_jitter(keys[own], ranges)[1])
        np.testing.assert_array_equal(draw_sigma(keys, (0.1, 2.0))[own], draw_sigma(keys[own], (0.1, 2.0)))


# colours


def test_jitter_is_distributed_as_torchvisions():
    ranges = ranges_of(0.4, (0.7, 2.0), 0.2, 0.1)
    factors, orders = draw_jitter(make_keys(20_000), ranges)
    torch.manual_seed(0)
    jitter = ColorJitter(0.4, (0.7, 2.0), 0.2, 0.1)
    drawn = [jitter.get_params(jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue) for _ in range(4_000)]
    reference = np.array([factors for _, *factors in drawn])
    for place in range(4):
        assert largest_gap(factors[:, place], reference[:, place]) < gap_bound(20_000, 4_000)
        low, high = ranges[place]
        assert low <= factors[:, place].min() < factors[:, place].max() < high
        assert factors[:, place].mean() == pytest.approx((low + high) / 2, abs=0.02 * (high - low))
        assert factors[:, place].var() == pytest.approx((high - low) ** 2 / 12, rel=0.05)
    assert np.abs(np.corrcoef(factors.T) - np.eye(4)).max() < 0.04
    names = list(itertools.permutations(range(4)))
    counts = np.array([(orders == name).all(axis=1).sum() for name in names])
    assert counts.sum() == 20_000
    assert ((counts - 20_000 / 24) ** 2 / (20_000 / 24)).sum() < 75  # chi-squared, 23 degrees: 2e-7 is beyond


@pytest.mark.parametrize(
    'settings', [(0.4, 0.4, 0.2, 0.1), (2.0, 1.0, 3.0, 0.5), ((0.5, 0.9), 0.1, (1.0, 4.0), (-0.2, 0.1))]
)
def test_jitter_ranges_are_torchvisions(settings):
    jitter = ColorJitter(*settings)
    expected = (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue)
    assert ranges_of(*settings) == tuple(map(tuple, expected))


def test_what_is_not_jittered_has_neutral_factors():
    assert ranges_of(0, (1, 1), 0.0, (0, 0)) == (None,) * 4
    factors, _ = draw_jitter(make_keys(5), (None, None, (0.5, 1.5), None))
    np.testing.assert_array_equal(factors[:, [0, 1, 3]], [[1, 1, 0]] * 5)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ((-1, 0, 0, 0), 'Jitter: brightness -1 must be a number from 0 on'),
        ((0, (2, 1), 0, 0), r'Jitter: contrast \(2, 1\) must be .* lowest <= highest'),
        ((0, 0, (1, 2, 3), 0), 'Jitter: saturation'),
        ((0, 0, float('inf'), 0), 'Jitter: saturation inf'),
        ((0, float('nan'), 0, 0), 'Jitter: contrast nan'),
        ((0, 0, 0, 0.6), r'Jitter: hue 0.6 .* between -0.5 and 0.5'),
        ((0, 0, 0, (-0.6, 0)), 'Jitter: hue'),
    ],
)
def test_wrong_ranges_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        ranges_of(*settings)


def test_lighting_has_the_covariance_of_its_components():
    vectors = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
    expected = 255**2 * 0.1**2 * vectors @ np.diag(np.array([0.2175, 0.0188, 0.0045]) ** 2) @ vectors.T
    shifts = draw_lighting(make_keys(50_000), 0.1)
    np.testing.assert_allclose(np.cov(shifts.T), expected, rtol=0.04)
    assert np.abs(shifts.mean(axis=0)).max() < 0.1


# masks and blur


@pytest.mark.parametrize('p', [0.0, 0.2, 0.5, 1.0])
def test_masks_have_their_share(p):
    mask = draw_mask(make_keys(20_000), p)
    assert abs(mask.mean() - p) <= 5 * math.sqrt(p * (1 - p) / 20_000)


def test_whether_and_how_much_are_independent():
    keys = make_keys(20_000)
    sigmas, mask = draw_sigma(keys, (0.1, 2.0)), draw_mask(keys, 0.5)
    assert largest_gap(sigmas[mask], sigmas[~mask]) < gap_bound(mask.sum(), (~mask).sum())
    assert largest_gap(sigmas, np.linspace(0.1, 2.0, 20_000)) < gap_bound(20_000, 20_000)


def test_taps_are_those_of_cv2():
    sigmas = np.array([0.1, 0.25, 0.5, 0.77, 1.0, 1.6, 2.0])
    taps = gaussian_taps(sigmas)
    middle = taps.shape[1] // 2
    for sigma, row in zip(sigmas, taps, strict=True):
        radius = (round(6 * sigma + 1) | 1) // 2
        expected = cv2.getGaussianKernel(2 * radius + 1, sigma).ravel()
        np.testing.assert_allclose(row[middle - radius : middle + radius + 1], expected, atol=1e-12)
        assert row.sum() == pytest.approx(1)
    assert gaussian_taps(np.empty(0)).shape == (0, 1)


@pytest.mark.parametrize('sigma', [(0, 1), (2, 1), (1,), (-1, 1)])
def test_wrong_widths_are_refused(sigma):
    with pytest.raises(ConfigError, match='0 < lowest <= highest'):
        check_pair(object(), sigma, 'sigma')
