"""Normalisation by hand."""

from __future__ import annotations

import pytest
import torch

from binssl.algorithms import ImageNormalizer
from binssl.registry import ALGORITHMS, ConfigError

PIXELS = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1).expand(2, 3, 4, 4)


def build(**options: object) -> ImageNormalizer:
    settings = dict(type='ImageNormalizer', mean=[10., 51., 105.], std=[2., 5., 50.])
    return ALGORITHMS.build(dict(settings, **options))


@pytest.mark.parametrize('channels_last', [False, True])
def test_each_channel_has_its_mean_and_std(channels_last):
    out = build(channels_last=channels_last)(dict(images=[PIXELS, PIXELS], labels=torch.arange(2)))
    assert len(out['images']) == 2
    for view in out['images']:
        assert view.dtype == torch.float32
        assert view[1, :, 2, 3].tolist() == [-5., 0., 3.]
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


@pytest.mark.parametrize(('options', 'message'), [
    (dict(mean=[1., 2.]), 'a mean and a std a channel: 2 and 3 were given'),
    (dict(std=[1., 0., 2.]), 'must be positive'),
    (dict(mean=[.485, .456, .406], std=[.229, .224, .225]), 'like units of 0 to 1.*multiply both by 255'),
    (dict(maen=[1., 2., 3.]), "does not take 'maen'.*'mean'"),
])
def test_bad_settings_are_named(options, message):
    with pytest.raises(ConfigError, match=message):
        build(**options)
