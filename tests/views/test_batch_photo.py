"""Colours and blur of whole batches: Pillow's and torchvision's pixels, one sample at a time."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.transforms.v2 import functional

from binssl.core.randomness import derive_keys, hash_counters
from binssl.registry import ConfigError
from binssl.views import PhotoBlur, PhotoGrayscale, PhotoJitter, PhotoLighting, PhotoSolarize
from binssl.views.build import BATCH, build_views
from binssl.views.draws import draw_jitter, draw_lighting, draw_mask, draw_sigma, gaussian_taps
from binssl.views.pixels import blur, brighten, contrast, luma, saturate, turn_hue

EVERYTHING = [
    dict(type='PhotoJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, p=0.8),
    dict(type='PhotoGrayscale', p=0.2),
    dict(type='PhotoBlur', p=0.5),
    dict(type='PhotoSolarize', p=0.2),
    dict(type='PhotoFlip'),
    dict(type='PhotoLighting'),
]


def pictures(count: int, height: int = 24, width: int = 20) -> Tensor:
    """Uniform levels, with some pixels that are gray, black, white or a pure colour."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 3, height, width), dtype=torch.uint8, generator=generator)
    images[:, :, 0] = images[:, :1, 0]
    images[:, :, 1] = 255 * (images[:, :, 1] > 127)
    return images


def keys(count: int, seed: int = 0) -> np.ndarray:
    return hash_counters(seed, 0, np.arange(count))


def to_pil(image: Tensor) -> Image.Image:
    return Image.fromarray(image.permute(1, 2, 0).numpy())


def from_pil(images: list[Image.Image]) -> Tensor:
    return torch.stack([functional.pil_to_tensor(image) for image in images])


def farthest(ours: Tensor, theirs: Tensor) -> float:
    return (ours.double() - theirs.double()).abs().max().item()


def column(values: list[float]) -> Tensor:
    return torch.tensor(values)[:, None]


# pixels


def test_luma_is_pillows():
    images = pictures(4, 60, 60)
    expected = from_pil([to_pil(image).convert('L') for image in images])
    assert torch.equal(luma(images.float()).byte(), expected)


@pytest.mark.parametrize(
    ('change', 'reference'),
    [
        (brighten, functional.adjust_brightness),
        (contrast, functional.adjust_contrast),
        (saturate, functional.adjust_saturation),
    ],
)
def test_a_blend_is_pillows(change, reference):
    images, factors = pictures(6), [0.0, 0.3, 0.61, 1.0, 1.37, 1.8]
    ours = change(images.float(), column(factors)).clamp(0, 255).floor()
    theirs = from_pil([reference(to_pil(image), factor) for image, factor in zip(images, factors, strict=True)])
    assert farthest(ours, theirs) <= 1  # where f x is a whole number, which single precision may just miss
    assert (ours != theirs).double().mean() < 0.01
    assert torch.equal(ours[3], images[3].float())


@pytest.mark.parametrize('turn', [-0.5, -0.27, -0.1, 0.0, 0.04, 0.1, 0.5])
def test_a_hue_is_turned_as_in_colorsys(turn):
    images = pictures(2, 12, 12)
    ours = turn_hue(images.float(), column([turn] * 2))
    for image, out in zip(images, ours, strict=True):
        for pixel, changed in zip(image.flatten(1).T.tolist(), out.flatten(1).T.tolist(), strict=True):
            hue, saturation, value = colorsys.rgb_to_hsv(*(level / 255 for level in pixel))
            expected = colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)
            assert changed == pytest.approx([255 * level for level in expected], abs=0.501)


def test_a_third_of_the_circle_exchanges_the_channels():
    images = pictures(2)
    red, green, blue = images.float().unbind(1)
    assert torch.equal(turn_hue(images.float(), column([1 / 3] * 2)), torch.stack([blue, red, green], dim=1))
    assert torch.equal(turn_hue(images.float(), column([-1 / 3] * 2)), torch.stack([green, blue, red], dim=1))


def test_gray_pixels_stay_gray_and_unturned():
    gray = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(4, 3, 16, 16)
    out = PhotoJitter(saturation=(0.0, 2.0), hue=0.5)(gray, keys(4))
    assert torch.equal(out, gray)


def test_each_sample_is_jittered_by_its_factors_in_its_order():
    images, jitter = pictures(64), PhotoJitter(0.4, 0.4, 0.4, p=0.8)
    operations = (functional.adjust_brightness, functional.adjust_contrast, functional.adjust_saturation)
    factors, order = draw_jitter(keys(64), jitter.ranges)
    expected = [to_pil(image) for image in images]
    for place, (applied, numbers, done) in enumerate(zip(draw_mask(keys(64), 0.8), factors, order, strict=True)):
        for operation in done[done < 3] if applied else ():
            expected[place] = operations[operation](expected[place], numbers[operation])
    ours, theirs = jitter(images, keys(64)), from_pil(expected)
    assert farthest(ours, theirs) <= 2  # a level of one operation is up to two after the others
    assert (ours != theirs).double().mean() < 0.01


def test_the_hue_has_its_turn_among_the_others():
    images, jitter = pictures(64), PhotoJitter(0.4, 0.4, 0.4, 0.1)
    operations = (
        functional.adjust_brightness,
        functional.adjust_contrast,
        functional.adjust_saturation,
        functional.adjust_hue,
    )
    factors, order = draw_jitter(keys(64), jitter.ranges)
    expected = images.clone()
    for place, (numbers, done) in enumerate(zip(factors, order, strict=True)):
        for operation in done:
            expected[place] = operations[operation](expected[place], numbers[operation])
    distances = (jitter(images, keys(64)).double() - expected.double()).abs()
    # torchvision's luma of uint8 is cut down, and its hue neither rounded nor cut down
    assert distances.max() <= 4
    assert distances.mean() < 0.6


def test_grayscale_is_pillows():
    images = pictures(32)
    chosen = draw_mask(keys(32), 0.3)
    expected = from_pil(
        [
            ImageOps.grayscale(to_pil(image)).convert('RGB') if gray else to_pil(image)
            for image, gray in zip(images, chosen, strict=True)
        ]
    )
    assert 0 < chosen.sum() < 32
    assert torch.equal(PhotoGrayscale(0.3)(images, keys(32)), expected)


@pytest.mark.parametrize('threshold', [0, 128, 200, 256])
def test_solarize_is_pillows(threshold):
    images = pictures(8)
    expected = from_pil([ImageOps.solarize(to_pil(image), threshold) for image in images])
    assert torch.equal(PhotoSolarize(threshold, p=1)(images, keys(8)), expected)
    assert torch.equal(PhotoSolarize(threshold, p=0)(images, keys(8)), images)


def test_a_blur_is_the_weighted_mean_of_the_neighbours():
    images = pictures(5, 9, 11)
    taps = gaussian_taps(np.array([0.1, 0.4, 0.9, 1.3, 2.0]))
    radius = taps.shape[1] // 2
    ours = blur(images.float(), torch.from_numpy(taps).float())
    for image, row, out in zip(images.double().numpy(), taps, ours.numpy(), strict=True):
        bordered = np.pad(image, [(0, 0), (radius, radius), (radius, radius)], mode='edge')
        windows = np.lib.stride_tricks.sliding_window_view(bordered, taps.shape[1:] * 2, axis=(1, 2))
        expected = np.einsum('chwyx,y,x->chw', windows, row, row)
        assert np.abs(out - expected).max() < 0.5 + 1e-3
        assert np.array_equal(out, np.rint(out))


def test_each_sample_is_blurred_by_its_sigma():
    images, transform = pictures(40, 30, 30), PhotoBlur(0.5)
    chosen, sigmas = draw_mask(keys(40), 0.5), draw_sigma(keys(40), (0.1, 2.0))
    out = transform(images, keys(40))
    assert torch.equal(out[~chosen], images[~chosen])
    for place in np.flatnonzero(chosen):
        expected = cv2.GaussianBlur(
            images[place].permute(1, 2, 0).numpy(), (0, 0), sigmas[place], borderType=cv2.BORDER_REPLICATE
        )
        # cv2's taps are multiples of 1/256
        assert farthest(out[place], torch.from_numpy(expected).permute(2, 0, 1)) <= 2


@pytest.mark.parametrize('as_released', [False, True])
def test_lighting_shifts_each_channel(as_released):
    images = pictures(16)
    shifts = draw_lighting(keys(16), 0.1)[:, :, None, None]
    shifted = images.numpy() + (shifts / 255 if as_released else shifts)
    expected = np.clip(shifted, 0, 255)
    expected = np.floor(expected) if as_released else np.rint(expected)
    assert np.array_equal(PhotoLighting(0.1, as_released)(images, keys(16)).numpy(), expected)
    assert abs(shifts).max() > 1


# samples


@pytest.mark.parametrize(('count', 'side'), [(70, 32), (3, 260)], ids=['small', 'photos'])
def test_a_sample_looks_the_same_in_any_batch(count, side):
    (view,) = build_views([EVERYTHING], owner='test', takes=BATCH)
    images = pictures(count, side, side)
    whole = view(images, keys(count))
    assert whole.dtype == torch.uint8
    order = np.random.RandomState(0).permutation(count)
    assert torch.equal(view(images[order], keys(count)[order]), whole[order])
    for place in range(0, count, max(1, count // 5)):
        assert torch.equal(view(images[place : place + 1], keys(count)[place : place + 1])[0], whole[place])
    assert view(images[:0], keys(0)).shape == (0, 3, side, side)


@pytest.mark.parametrize('config', EVERYTHING, ids=[config['type'] for config in EVERYTHING])
def test_the_batch_itself_is_left_as_it_was(config):
    (view,) = build_views([config], owner='test', takes=BATCH)
    images = pictures(16)
    before = images.clone()
    changed = view(images, keys(16))
    assert torch.equal(images, before)
    assert not torch.equal(changed, before)


def test_transforms_of_a_view_choose_independently():
    (view,) = build_views(
        [[dict(type='PhotoSolarize', threshold=0, p=0.5), dict(type='PhotoGrayscale', p=0.5)]],
        owner='test',
        takes=BATCH,
    )
    count = 1000
    images = torch.tensor([10, 20, 30], dtype=torch.uint8).view(1, 3, 1, 1).expand(count, 3, 2, 2)
    out = view(images, keys(count))[:, :, 0, 0]
    bright, gray = out[:, 0] > 127, out[:, 0] == out[:, 2]
    for first in (bright, ~bright):
        for second in (gray, ~gray):
            assert abs((first & second).double().mean() - 0.25) < 4 * (0.25 * 0.75 / count) ** 0.5


def test_other_keys_give_other_pixels():
    jitter, images = PhotoJitter(0.4, 0.4, 0.4, 0.1), pictures(1).expand(8, -1, -1, -1)
    out = jitter(images, keys(8))
    assert len({image.numpy().tobytes() for image in out}) == 8
    assert not torch.equal(out, jitter(images, derive_keys(keys(8), 5)))


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('config', EVERYTHING, ids=[config['type'] for config in EVERYTHING])
def test_a_gpu_gives_the_same_pixels_and_waits_for_nothing(config):
    (view,) = build_views([config], owner='test', takes=BATCH)
    images, before = pictures(32, 224, 224), torch.cuda.get_sync_debug_mode()
    on_gpu = images.to('cuda')
    torch.cuda.set_sync_debug_mode('error')
    try:
        there = view(on_gpu, keys(32))
    finally:
        torch.cuda.set_sync_debug_mode(before)
    distances = (there.to('cpu').double() - view(images, keys(32)).double()).abs()
    assert distances.max() <= 2
    assert (distances > 0).double().mean() < 1e-3


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(type='PhotoJitter', brightness=-0.1), 'PhotoJitter: brightness -0.1 must be'),
        (dict(type='PhotoJitter', hue=0.6), 'PhotoJitter: hue 0.6 must be'),
        (dict(type='PhotoJitter', p=2), 'PhotoJitter: p 2 must lie between 0 and 1'),
        (dict(type='PhotoGrayscale', p=-1), 'PhotoGrayscale: p -1 must lie between 0 and 1'),
        (dict(type='PhotoSolarize', threshold=300), 'threshold 300 must lie between 0 and 256'),
        (dict(type='PhotoBlur', sigma=(2.0, 0.1)), 'PhotoBlur: sigma'),
        (dict(type='PhotoLighting', alphastd=-1), 'PhotoLighting: alphastd -1 must be at least 0'),
        (dict(type='PhotoJiter'), 'PhotoJitter'),
    ],
)
def test_wrong_settings_are_refused(config, message):
    with pytest.raises(ConfigError, match=message):
        build_views([[config]], owner='test', takes=BATCH)
