"""Transforms of photos as arrays: Pillow's and torchvision's pixels, from counters."""

import numpy as np
import pytest
import torch
from photo_like import make_photo
from PIL import Image, ImageFilter
from torch.nn.functional import interpolate
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from binssl.core.randomness import hash_counters
from binssl.registry import TRANSFORMS, ConfigError
from binssl.views import pixels
from binssl.views.draws import draw_crops, draw_jitter, draw_lighting, draw_mask, draw_sigma
from binssl.views.geometry import resize

JITTER = dict(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
PHOTO = make_photo()
VIVID = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)
CHANGES = {'PhotoFlip': {}, 'PhotoJitter': JITTER, 'PhotoGrayscale': {}, 'PhotoBlur': {}, 'PhotoSolarize': {}}


def keys(count: int, seed: int = 0) -> np.ndarray:
    return hash_counters(seed, 1, np.arange(count))


def apart(first, second) -> int:
    """The largest difference in grey levels."""
    return np.abs(np.asarray(first, dtype=int) - np.asarray(second, dtype=int)).max()


def make(name: str, **settings):
    return TRANSFORMS.build(dict(type=name, **settings))


# geometry


@pytest.mark.parametrize(('height', 'width'), [(96, 128), (40, 50), (7, 128), (20, 3)])
@pytest.mark.parametrize('size', [(48, 48), (224, 224), (31, 77)])
@pytest.mark.parametrize('interpolation', ['antialias', 'bicubic'])
def test_antialiased_pixels_are_pillows(height, width, size, interpolation):
    part = PHOTO[:height, :width]
    mode = Image.Resampling.BICUBIC if interpolation == 'bicubic' else Image.Resampling.BILINEAR
    assert apart(resize(part, *size, interpolation), Image.fromarray(part).resize(size[::-1], mode)) <= 2


def test_linear_pixels_mix_four_pixels():
    image = torch.from_numpy(PHOTO).permute(2, 0, 1)[None].double()
    expected = interpolate(image, size=(50, 60), mode='bilinear', antialias=False)[0].permute(1, 2, 0)
    found = resize(PHOTO, 50, 60, 'linear')
    assert np.abs(found - expected.numpy()).max() <= 1
    assert apart(found, resize(PHOTO, 50, 60, 'antialias')) > 10  # another picture


@pytest.mark.parametrize('interpolation', ['antialias', 'bicubic', 'linear'])
def test_crops_are_the_boxes_that_were_drawn(interpolation):
    photos = [make_photo(seed, 50 + 9 * seed, 90 - 5 * seed) for seed in range(6)]
    crop = make('PhotoCrop', size=32, scale=(0.2, 1.0), interpolation=interpolation)
    made = list(crop(photos, keys(6)))
    for photo, view, place_box in zip(photos, made, draw_crops(keys(6), (0.2, 1.0), (3 / 4, 4 / 3)), strict=True):
        top, left, height, width = place_box(*photo.shape[:2])
        assert (view.shape, view.dtype) == ((32, 32, 3), np.uint8)
        part = photo[top : top + height, left : left + width]
        np.testing.assert_array_equal(view, resize(part.copy(), 32, 32, interpolation))


@pytest.mark.parametrize(('height', 'width'), [(96, 128), (128, 97), (64, 64), (65, 101)])
def test_the_plain_view_is_torchvisions(height, width):
    photo = make_photo(1, height, width)
    (resized,) = make('PhotoResize', size=48)([photo], keys(1))
    (centre,) = make('PhotoCenterCrop', size=41)([resized], keys(1))
    reference = functional.resize(Image.fromarray(photo), 48)
    assert apart(resized, reference) <= 2
    assert apart(centre, functional.center_crop(reference, 41)) <= 2


def test_flips_mirror_their_share():
    photos = list(make('PhotoFlip', p=0.3)([PHOTO] * 1000, keys(1000)))
    flipped = np.array([np.array_equal(photo, PHOTO[:, ::-1]) for photo in photos])
    assert abs(flipped.mean() - 0.3) < 0.06
    assert all(photo is PHOTO for photo, yes in zip(photos, flipped, strict=True) if not yes)


# colours


@pytest.mark.parametrize('name', ['brighten', 'contrast', 'saturate'])
@pytest.mark.parametrize('factor', [0.0, 0.2, 0.63, 1.0, 1.37, 1.8, 3.0])
def test_a_change_of_colour_is_torchvisions(name, factor):
    reference = dict(brighten='brightness', contrast='contrast', saturate='saturation')[name]
    for photo in (PHOTO, VIVID):
        expected = getattr(functional, f'adjust_{reference}')(Image.fromarray(photo), factor)
        # a level of luma, weighed by |1 - factor|
        assert apart(getattr(pixels, name)(photo, np.array([factor])), expected) <= max(1, factor - 1)


@pytest.mark.parametrize('turns', [-0.5, -0.1, 0.0, 0.013, 0.1, 1 / 3, 0.5])
def test_the_hue_is_turned_exactly(turns):
    """Against torchvision's transform of floats, which has no steps; Pillow's hue has."""
    for photo in (PHOTO, VIVID):
        image = torch.from_numpy(photo).permute(2, 0, 1).double() / 255
        expected = (255 * functional.adjust_hue(image, turns)).permute(1, 2, 0).numpy()
        assert np.abs(pixels.turn_hue(photo, np.array([turns])) - expected).max() <= 0.51
        pillows = np.asarray(functional.adjust_hue(Image.fromarray(photo), turns))
        assert apart(pixels.turn_hue(photo, np.array([turns])), pillows) <= 15


def test_the_hue_of_pure_colours_goes_round():
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9], [255, 255, 255]]], dtype=np.uint8)
    expected = np.array([[[0, 255, 0], [0, 0, 255], [255, 0, 0], [9, 9, 9], [255, 255, 255]]])
    np.testing.assert_array_equal(pixels.turn_hue(colours, np.array([1 / 3])), expected)


@pytest.mark.parametrize('level', [0, 1, 127, 254, 255])
def test_gray_stays_gray(level):
    photo = np.full((5, 7, 3), level, dtype=np.uint8)
    for factor in (0.3, 0.99, 1.7):
        for change in (pixels.contrast, pixels.saturate, pixels.turn_hue):
            np.testing.assert_array_equal(change(photo, np.array([factor])), photo)


def test_jitter_does_what_was_drawn_in_the_order_that_was_drawn():
    references = (functional.adjust_brightness, functional.adjust_contrast, functional.adjust_saturation)
    photos = [make_photo(seed, 40, 60) for seed in range(30)]
    settings = dict(brightness=0.8, contrast=0.8, saturation=0.8)
    jitter = make('PhotoJitter', **settings, p=0.7)
    factors, orders = draw_jitter(keys(30), jitter.ranges)
    applied = draw_mask(keys(30), 0.7)
    assert 10 < applied.sum() < 30
    for photo, found, yes, own, order in zip(photos, jitter(photos, keys(30)), applied, factors, orders, strict=True):
        expected = Image.fromarray(photo)
        for operation in order if yes else ():
            if operation < 3:
                expected = references[operation](expected, own[operation])
        assert apart(found, expected) <= 4  # a level or less each time, raised by what follows


def test_jitter_alike_in_the_mean_to_torchvisions():
    """Means and spreads of the pixels over many draws: parameters, orders and pixels together."""
    photo, count = make_photo(2, 12, 16), 600
    ours = np.stack(list(make('PhotoJitter', **JITTER, p=0.8)([photo] * count, keys(count)))).astype(float)
    torch.manual_seed(0)
    reference = v2.RandomApply([v2.ColorJitter(**JITTER)], p=0.8)
    theirs = np.stack([np.asarray(reference(Image.fromarray(photo)), dtype=float) for _ in range(count)])
    error = np.sqrt((ours.var(axis=0) + theirs.var(axis=0)) / count)
    assert (np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) < 5 * error + 0.7).all()  # 0.7: Pillow's steps of hue
    assert np.abs(ours.std(axis=0) / theirs.std(axis=0) - 1).mean() < 0.1


def test_grayscale_is_pillows():
    for photo in (PHOTO, VIVID):
        expected = np.asarray(Image.fromarray(photo).convert('L'))
        (found,) = make('PhotoGrayscale', p=1.0)([photo], keys(1))
        assert apart(found, expected[..., None].repeat(3, axis=2)) <= 1


@pytest.mark.parametrize('threshold', [0, 100.5, 128, 256])
def test_solarising_is_torchvisions(threshold):
    (found,) = make('PhotoSolarize', threshold=threshold, p=1.0)([VIVID], keys(1))
    np.testing.assert_array_equal(found, np.asarray(functional.solarize(Image.fromarray(VIVID), threshold)))


def test_blur_is_a_gaussian_with_repeated_edges():
    count = 12
    found = make('PhotoBlur', p=1.0)([PHOTO] * count, keys(count))
    for photo, sigma in zip(found, draw_sigma(keys(count), (0.1, 2.0)), strict=True):
        radius = (round(6 * sigma + 1) | 1) // 2
        taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
        expected = np.pad(PHOTO.astype(float), [(radius, radius), (radius, radius), (0, 0)], mode='edge')
        for axis in (0, 1):
            expected = np.apply_along_axis(np.convolve, axis, expected, taps / taps.sum(), 'valid')
        assert np.abs(photo - expected).max() <= 0.51


@pytest.mark.parametrize(('sigma', 'most'), [(0.1, 2), (0.5, 8), (1.0, 8), (1.5, 12), (2.0, 12)])
def test_blur_is_near_pillows(sigma, most):
    (found,) = make('PhotoBlur', p=1.0, sigma=(sigma, sigma))([PHOTO], keys(1))
    expected = np.asarray(Image.fromarray(PHOTO).filter(ImageFilter.GaussianBlur(sigma)))
    assert apart(found, expected) <= most
    assert np.abs(found.astype(float) - expected).mean() < 1


@pytest.mark.parametrize('as_released', [False, True])
@pytest.mark.parametrize('alphastd', [0.1, 2.0])
def test_lighting_shifts_every_pixel_alike(as_released, alphastd):
    found = make('PhotoLighting', alphastd=alphastd, as_released=as_released)([VIVID] * 9, keys(9))
    for photo, shift in zip(found, draw_lighting(keys(9), alphastd), strict=True):
        exact = np.clip(VIVID + (shift / 255 if as_released else shift), 0, 255)
        np.testing.assert_array_equal(photo, np.floor(exact) if as_released else np.rint(exact))


# all


@pytest.mark.parametrize('name', [*CHANGES, 'PhotoLighting', 'PhotoCrop', 'PhotoResize', 'PhotoCenterCrop'])
def test_what_comes_in_is_left_alone_and_company_does_not_matter(name):
    settings = dict(CHANGES.get(name, dict(size=24) if name in ('PhotoCrop', 'PhotoResize', 'PhotoCenterCrop') else {}))
    photos = [make_photo(seed, 40, 56) for seed in range(8)]
    copies = [photo.copy() for photo in photos]
    transform = make(name, **settings)
    made = list(transform(photos, keys(8)))
    assert all(np.array_equal(photo, copy) for photo, copy in zip(photos, copies, strict=True))
    assert all(view.dtype == np.uint8 for view in made)
    np.testing.assert_array_equal(next(iter(transform(photos[5:6], keys(8)[5:6]))), made[5])


@pytest.mark.parametrize(
    ('name', 'settings', 'message'),
    [
        ('PhotoCrop', dict(size=0), 'PhotoCrop: size 0'),
        ('PhotoCrop', dict(scale=(0, 1)), r'PhotoCrop: scale \(0, 1\) must be two numbers, 0 < lowest <= highest <= 1'),
        ('PhotoCrop', dict(ratio=(2, 1)), r'PhotoCrop: ratio \(2, 1\)'),
        ('PhotoCrop', dict(interpolation='cubic'), "no interpolation is called 'cubic'.*did you mean 'bicubic'"),
        ('PhotoResize', dict(size=-1), 'PhotoResize: size -1'),
        ('PhotoResize', dict(interpolation='linea'), "did you mean 'linear'"),
        ('PhotoCenterCrop', dict(size=0), 'PhotoCenterCrop: size 0'),
        ('PhotoFlip', dict(p=2), 'PhotoFlip: p 2 must lie between 0 and 1'),
        ('PhotoJitter', dict(hue=1), 'PhotoJitter: hue 1'),
        ('PhotoJitter', dict(p=-1), 'PhotoJitter: p -1'),
        ('PhotoGrayscale', dict(p=-1), 'PhotoGrayscale: p -1'),
        ('PhotoBlur', dict(sigma=(2, 1)), r'PhotoBlur: sigma \(2, 1\)'),
        ('PhotoSolarize', dict(threshold=300), 'PhotoSolarize: threshold 300'),
        ('PhotoLighting', dict(alphastd=-1), 'PhotoLighting: alphastd -1'),
    ],
)
def test_wrong_settings_are_refused(name, settings, message):
    with pytest.raises(ConfigError, match=message):
        make(name, **settings)


def test_a_square_that_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match='no square of 99 px fits into 96 x 128 px; put PhotoResize before it'):
        list(make('PhotoCenterCrop', size=99)([PHOTO], keys(1)))
