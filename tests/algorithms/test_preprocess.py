"""Normalisation by hand, and what of the views is made on the device."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch

from binssl.algorithms import ImageNormalizer
from binssl.core.randomness import derive_keys, hash_counters
from binssl.registry import ALGORITHMS, ConfigError
from binssl.views.build import BATCH, build_views

PIXELS = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1).expand(2, 3, 4, 4)


def build(**options: object) -> ImageNormalizer:
    settings = dict(type='ImageNormalizer', mean=[10.0, 51.0, 105.0], std=[2.0, 5.0, 50.0])
    return ALGORITHMS.build(dict(settings, **options))


@pytest.mark.parametrize('channels_last', [False, True])
def test_each_channel_has_its_mean_and_std(channels_last):
    out = build(channels_last=channels_last)(dict(images=[PIXELS, PIXELS], labels=torch.arange(2)))
    assert len(out['images']) == 2
    for view in out['images']:
        assert view.dtype == torch.float32
        assert view[1, :, 2, 3].tolist() == [-5.0, 0.0, 3.0]
        kind = torch.channels_last if channels_last else torch.contiguous_format
        assert view.is_contiguous(memory_format=kind)
    assert out['labels'].tolist() == [0, 1]


def test_one_tensor_stays_one_tensor():
    assert torch.equal(build()(dict(images=PIXELS))['images'], build()(dict(images=[PIXELS]))['images'][0])


@pytest.mark.parametrize('dtype', [torch.uint8, torch.float32])
def test_batch_is_left_as_it_was(dtype):
    images = PIXELS.to(dtype).contiguous()
    batch = dict(images=[images])
    build()(batch)
    assert torch.equal(images, PIXELS.to(dtype))
    assert batch['images'][0] is images


def test_double_reaches_the_images_and_no_checkpoint_holds_it():
    normalizer = build().double()
    assert normalizer(dict(images=PIXELS))['images'].dtype == torch.float64
    assert not normalizer.state_dict()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(mean=[1.0, 2.0]), 'a mean and a std a channel: 2 and 3 were given'),
        (dict(std=[1.0, 0.0, 2.0]), 'must be positive'),
        (dict(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]), 'like units of 0 to 1.*multiply both by 255'),
        (dict(maen=[1.0, 2.0, 3.0]), "does not take 'maen'.*'mean'"),
    ],
)
def test_bad_settings_are_named(options, message):
    with pytest.raises(ConfigError, match=message):
        build(**options)


# the batch part of the views

FIRST = [dict(type='PhotoJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1), dict(type='PhotoBlur')]
SECOND = dict(type='PhotoFlip')
PLAIN = dict(mean=[0.0, 0.0, 0.0], std=[2.0, 2.0, 2.0])  # halves the levels: exact


def augmented(count: int = 12, side: int = 16) -> dict:
    """A batch of two views with keys, as a loader gives it."""
    generator = torch.Generator().manual_seed(0)
    images = [torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=generator) for _ in range(2)]
    columns = [hash_counters(0, 3, np.arange(count), stream).view(np.int64) for stream in range(2)]
    return dict(images=images, labels=torch.arange(count), keys=torch.from_numpy(np.stack(columns, axis=1)))


def levels(views: list | None, batch: dict, training: bool = True) -> list[torch.Tensor]:
    """What a normaliser gives, in grey levels."""
    return [2 * image for image in build(**PLAIN, views=views)(batch, training)['images']]


def test_each_view_gets_its_transforms_in_training_only():
    batch = augmented()
    first, second = levels([FIRST, None], batch)
    assert not torch.equal(first, batch['images'][0].float())
    assert torch.equal(second, batch['images'][1].float())
    for views, training in (([FIRST, SECOND], False), (None, True)):
        for ours, given in zip(levels(views, batch, training), batch['images'], strict=True):
            assert torch.equal(ours, given.float())


def test_each_view_draws_from_its_own_keys_and_not_from_those_of_the_worker():
    batch = augmented(count=64)
    (worker,) = build_views([SECOND], owner='test', takes=BATCH)
    for place, ours in enumerate(levels([SECOND, SECOND], batch)):
        column = batch['keys'][:, place].numpy().view(np.uint64)
        given = batch['images'][place]
        assert torch.equal(ours, worker(given, derive_keys(column, 1 << 32)).float())
        assert not torch.equal(ours, worker(given, column).float())


def test_an_augmented_sample_looks_the_same_in_any_batch():
    batch = augmented()
    whole = levels([FIRST, SECOND], batch)
    half = dict(images=[view[5:9] for view in batch['images']], keys=batch['keys'][5:9])
    for ours, theirs in zip(levels([FIRST, SECOND], half), whole, strict=True):
        assert torch.equal(ours, theirs[5:9])


def test_half_precision_does_not_reach_the_grey_levels():
    whole = levels([FIRST, SECOND], augmented())
    with torch.autocast('cpu', torch.bfloat16):
        half = levels([FIRST, SECOND], augmented())
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(half, whole, strict=True))


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('views', [None, [FIRST, SECOND]], ids=['plain', 'augmenting'])
def test_keys_end_at_the_normaliser(views, training):
    batch = augmented()
    assert build(views=views)(batch, training).keys() == {'images', 'labels'}
    assert 'keys' in batch


def test_one_augmented_tensor_stays_one_tensor():
    batch = augmented()
    out = build(**PLAIN, views=[FIRST])(dict(images=batch['images'][0], keys=batch['keys'][:, :1]), True)
    assert torch.equal(2 * out['images'], levels([FIRST, None], batch)[0])


def test_the_loaded_batch_is_not_augmented_in_place():
    batch = augmented()
    before = copy.deepcopy(batch['images'])
    levels([FIRST, SECOND], batch)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(batch['images'], before, strict=True))


def test_a_copied_normaliser_augments_alike():
    normalizer, batch = build(views=[FIRST, SECOND]), augmented()
    expected = normalizer(batch, True)['images']
    for twin in (copy.deepcopy(normalizer), pickle.loads(pickle.dumps(normalizer))):
        assert all(torch.equal(a, b) for a, b in zip(twin(batch, True)['images'], expected, strict=True))


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_gpu_is_never_waited_for():
    normalizer, batch = build(**PLAIN, views=[FIRST, SECOND]).to('cuda'), augmented()
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode('error')
    try:
        out = normalizer(batch, True)
    finally:
        torch.cuda.set_sync_debug_mode(before)
    for ours, theirs in zip(out['images'], levels([FIRST, SECOND], batch), strict=True):
        assert (2 * ours.to('cpu') - theirs).abs().max() <= 2


def test_a_batch_without_keys_cannot_be_augmented():
    batch = augmented()
    del batch['keys']
    with pytest.raises(ConfigError, match=r'no keys.*move the transforms to train_dataloader\.dataset\.views'):
        build(views=[FIRST, SECOND])(batch, True)
    build(views=[FIRST, SECOND])(batch, False)


@pytest.mark.parametrize('views', [[FIRST], [FIRST, None, None]])
def test_every_view_has_an_entry(views):
    with pytest.raises(ConfigError, match=rf'views has {len(views)} entries, the batch 2 view'):
        build(views=views)(augmented(), True)


@pytest.mark.parametrize(
    ('views', 'message'),
    [
        ([[dict(type='GaussianBlur')]], 'transforms of whole batches; GaussianBlur is not one'),
        ([[dict(type='PhotoJittter')]], "'PhotoJitter'"),
        (dict(type='PhotoFlip'), r"views is .*'PhotoFlip'.* must be Sequence"),
        ([], 'one transform config per view'),
        ([[dict(type='PhotoCrop')]], 'PhotoCrop is not one'),
    ],
)
def test_bad_views_are_named(views, message):
    with pytest.raises(ConfigError, match=message):
        build(views=views)
