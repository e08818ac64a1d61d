"""Augmentation of whole batches: torchvision's pixels, torchvision's distribution."""

from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from binssl.core.randomness import hash_counters
from binssl.registry import ConfigError
from binssl.views import BatchCrop, BatchResize, BatchRotate, PhotoFlip
from binssl.views.build import BATCH, build_views
from binssl.views.draws import draw_mask
from binssl.views.geometry import fixed_point_turns

CROP_AND_FLIP = [[dict(type='BatchCrop', size=8, padding=2), dict(type='PhotoFlip')]]


def pictures(count: int, height: int = 32, width: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, height, width), dtype=torch.uint8, generator=generator)


def keys(count: int, seed: int = 0) -> np.ndarray:
    return hash_counters(seed, 0, np.arange(count))


def to_pil(image: torch.Tensor) -> Image.Image:
    return Image.fromarray(image.permute(1, 2, 0).numpy())


def chi_squared(counts: list[int]) -> float:
    """Of counts that should be equal."""
    expected = sum(counts) / len(counts)
    return sum((count - expected) ** 2 / expected for count in counts)


def coordinates(side: int) -> torch.Tensor:
    """An image that holds 1 + row, 1 + column and 255: from any pixel of it one knows where it was."""
    place = torch.arange(1, side + 1, dtype=torch.uint8)
    rows, columns = torch.meshgrid(place, place, indexing='ij')
    return torch.stack([rows, columns, torch.full_like(rows, 255)])


# pixels


@pytest.mark.parametrize(('height', 'width', 'size', 'padding'), [(32, 32, 32, 4), (10, 14, 7, 0), (8, 8, 12, 2)])
def test_a_crop_is_that_of_the_padded_pil_image(height, width, size, padding):
    images, crop = pictures(20, height, width), BatchCrop(size, padding)
    places = [height + 2 * padding - size + 1, width + 2 * padding - size + 1]
    tops, lefts = crop.draw(keys(20), places)
    for image, top, left, out in zip(images, tops, lefts, crop(images, keys(20)), strict=True):
        padded = functional.pad(to_pil(image), [padding])
        expected = functional.crop(padded, int(top), int(left), size, size)
        assert torch.equal(out, functional.pil_to_tensor(expected))


def test_a_flip_is_that_of_the_pil_image():
    images, flip = pictures(20), PhotoFlip()
    mirrored = draw_mask(keys(20), 0.5)
    assert 0 < mirrored.sum() < 20
    for image, is_mirrored, out in zip(images, mirrored, flip(images, keys(20)), strict=True):
        expected = functional.horizontal_flip(to_pil(image)) if is_mirrored else to_pil(image)
        assert torch.equal(out, functional.pil_to_tensor(expected))


@pytest.mark.parametrize(('height', 'width', 'degrees'), [(64, 64, 20.0), (17, 30, 180.0), (224, 224, 20.0)])
def test_a_rotation_is_that_of_the_pil_image(height, width, degrees):
    images, rotate = pictures(12, height, width), BatchRotate(degrees)
    angles = rotate.draw(keys(12))
    for image, angle, out in zip(images, angles, rotate(images, keys(12)), strict=True):
        assert torch.equal(out, functional.pil_to_tensor(functional.rotate(to_pil(image), float(angle))))


@pytest.mark.parametrize('degrees', [0.0, 90.0, -90.0, 180.0, 45.0])
def test_a_rotation_by_a_round_angle_is_that_of_the_pil_image(degrees, monkeypatch):
    monkeypatch.setattr(BatchRotate, 'draw', lambda self, given: np.full(len(given), degrees))
    image = pictures(1, 33, 33)
    out = BatchRotate()(image, keys(1))[0]
    assert torch.equal(out, functional.pil_to_tensor(functional.rotate(to_pil(image[0]), degrees)))


def test_a_turn_by_nothing_maps_each_pixel_to_itself():
    assert fixed_point_turns(np.zeros(1), 5, 7)[:, 0].tolist() == [65536, 0, 32768, 0, 65536, 32768]


@pytest.mark.parametrize('size', [224, 100, 24])
def test_a_resized_batch_is_that_of_its_images(size):
    images, resize = pictures(4, 64, 64), v2.Resize((size, size))
    out = BatchResize(size)(images, keys(4))
    for image, ours in zip(images, out, strict=True):
        assert torch.equal(ours, resize(image))
        pillow = functional.pil_to_tensor(resize(to_pil(image)))
        assert (ours.int() - pillow.int()).abs().max() <= 2


# distribution


def test_crops_fall_as_torchvisions_do():
    image, draws = coordinates(8), 5000
    ours = BatchCrop(8, padding=2)(image.expand(draws, -1, -1, -1), keys(draws))
    torch.manual_seed(0)
    crop = v2.RandomCrop(8, padding=2)
    theirs = torch.stack([crop(image) for _ in range(draws)])
    # pixel (4, 4) of a crop lies within the image, wherever the crop does
    counts = [Counter(map(tuple, batch[:, :2, 4, 4].tolist())) for batch in (ours, theirs)]
    assert set(counts[0]) == set(counts[1]) == {(row, column) for row in range(3, 8) for column in range(3, 8)}
    # 24 degrees of freedom: 51.2 in one of a thousand cases
    assert max(chi_squared(list(count.values())) for count in counts) < 51.2


@pytest.mark.parametrize('p', [0.0, 0.2, 0.5, 1.0])
def test_flips_are_as_frequent_as_torchvisions(p):
    image, draws = coordinates(4), 4000
    ours = PhotoFlip(p)(image.expand(draws, -1, -1, -1), keys(draws))[:, 1, 0, 0] == 4
    torch.manual_seed(0)
    flip = v2.RandomHorizontalFlip(p)
    theirs = torch.stack([flip(image)[1, 0, 0] == 4 for _ in range(draws)])
    tolerance = 4 * (p * (1 - p) / draws) ** 0.5
    assert abs(ours.float().mean().item() - p) <= tolerance
    assert abs(theirs.float().mean().item() - p) <= tolerance


def test_angles_are_distributed_as_torchvisions():
    draws = 4000
    ours = np.sort(BatchRotate(20).draw(keys(draws)))
    torch.manual_seed(0)
    theirs = np.sort([v2.RandomRotation(20).make_params([])['angle'] for _ in range(draws)])
    uniform = -20 + 40 * (np.arange(draws) + 0.5) / draws
    for angles in (ours, theirs):
        # Kolmogorov and Smirnov: 1.95 / sqrt(n) in one of a thousand cases
        assert np.abs(angles - uniform).max() / 40 < 1.95 / draws**0.5
        assert abs(angles).max() <= 20


def test_transforms_of_a_view_draw_independently():
    image, draws = coordinates(8), 8000
    (view,) = build_views(CROP_AND_FLIP, owner='test', takes=BATCH)
    out = view(image.expand(draws, -1, -1, -1), keys(draws))[:, :2, 4, 3:5]
    mirrored = out[:, 1, 0] > out[:, 1, 1]  # pixels (4, 3) and (4, 4) lie within the image, mirrored or not
    left = torch.where(mirrored, out[:, 1, 1], out[:, 1, 0])
    joint = Counter(zip(out[:, 0, 0].tolist(), left.tolist(), mirrored.tolist(), strict=True))
    assert len(joint) == 50
    assert chi_squared(list(joint.values())) < 85.4  # 49 degrees of freedom, one of a thousand


# counters


def test_a_sample_looks_the_same_in_any_batch():
    chain = [
        dict(type='BatchCrop', size=8, padding=2),
        dict(type='PhotoFlip'),
        dict(type='BatchRotate'),
        dict(type='BatchResize', size=12),
    ]
    (view,) = build_views([chain], owner='test', takes=BATCH)
    images = pictures(16, 8, 8)
    whole = view(images, keys(16))
    order = np.random.RandomState(0).permutation(16)
    assert torch.equal(view(images[order], keys(16)[order]), whole[order])
    for place in range(16):
        assert torch.equal(view(images[place : place + 1], keys(16)[place : place + 1])[0], whole[place])


def test_the_batch_itself_is_left_as_it_was():
    (view,) = build_views(CROP_AND_FLIP, owner='test', takes=BATCH)
    images = pictures(4, 8, 8)
    before = images.clone()
    view(images, keys(4))
    BatchRotate()(images, keys(4))
    assert torch.equal(images, before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_gpu_gives_the_same_pixels():
    images = pictures(32)
    for transform, tolerance in ((BatchCrop(), 0), (PhotoFlip(), 0), (BatchRotate(), 0), (BatchResize(), 1)):
        here, there = transform(images, keys(32)), transform(images.to('cuda'), keys(32))
        assert there.device.type == 'cuda'
        assert (here.int() - there.to('cpu').int()).abs().max() <= tolerance


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(type='BatchCrop', size=0), 'size 0 must be at least 1'),
        (dict(type='BatchCrop', padding=-1), 'padding -1 must be at least 0'),
        (dict(type='PhotoFlip', p=1.5), r'p 1\.5 must lie between 0 and 1'),
        (dict(type='BatchRotate', degrees=-3), 'degrees -3 must lie between 0 and 180'),
        (dict(type='BatchResize', size=-1), 'size -1 must be at least 1'),
        (dict(type='PhotoFlipp'), 'PhotoFlip'),
        (dict(type='GaussianBlur'), 'transforms of whole batches; GaussianBlur is not one'),
        (dict(type='DigitsAugment'), 'transforms of whole batches; DigitsAugment is not one'),
    ],
)
def test_wrong_transforms_are_refused(config, message):
    with pytest.raises(ConfigError, match=message):
        build_views([[config]], owner='test', takes=BATCH)


def test_a_square_that_does_not_fit_is_an_error():
    with pytest.raises(ConfigError, match='no square of 41 px fits into 32 x 32 px with padding 4'):
        BatchCrop(41)(pictures(1), keys(1))
