"""Colours and blur of photos, in a loader's worker or of a whole batch on its device.

Each transform takes photos and one counter key a photo, and is left with what :mod:`~binssl.views.draws` draws from
them: which photos are changed, by which :mod:`operations <binssl.views.pixels>`, with which numbers. The distributions
are those of torchvision's transforms of one PIL image, which stay as the reference (``torchvision/NAME``). ``Batch...``
are older names of the same transforms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from binssl.registry import TRANSFORMS
from binssl.views.build import ARRAY, BATCH
from binssl.views.draws import (
    check_pair,
    check_within,
    draw_jitter,
    draw_lighting,
    draw_mask,
    draw_sigma,
    gaussian_taps,
    jitter_ranges,
)
from binssl.views.pixels import Step, blur, brighten, change, contrast, desaturate, invert, saturate, shift, turn_hue

_CHANGES = (brighten, contrast, saturate, turn_hue)  # as draw_jitter counts them


class ColorTransform:
    """Takes arrays uint8 (H, W, 3), any iterable of them, or a tensor uint8 (N, 3, H, W), and a uint64 key a photo."""

    takes = (ARRAY, BATCH)

    def __call__(self, photos: Any, keys: np.ndarray) -> Any:
        return change(photos, self.steps(keys))

    def steps(self, keys: np.ndarray) -> list[Step]:
        """What to do to the photos of these keys, uint64 (N,)."""
        raise NotImplementedError


@TRANSFORMS.register_module(name=['PhotoJitter', 'BatchJitter'])
class PhotoJitter(ColorTransform):
    """Brightness, contrast, saturation and hue, in a random order: torchvision's ``ColorJitter``.

    Pixels are within 1 grey level of torchvision's (PIL) after brightness, contrast or saturation by a factor up to 2.
    The hue is exact, Pillow's goes by 256 steps: up to 15 grey levels apart in the most vivid colours, less than 1 on
    average in photos.

    Args:
        brightness, contrast, saturation: a factor is drawn from U(max(0, 1 - b), 1 + b), or from U(low, high) where two
            numbers are given. 0: none.
        hue: part of the circle, from U(-h, h), h at most 0.5, or from U(low, high). 0: none.
        p: how often a photo is changed at all (torchvision: ``RandomApply``).
    """

    def __init__(
        self,
        brightness: float | Sequence[float] = 0.0,
        contrast: float | Sequence[float] = 0.0,
        saturation: float | Sequence[float] = 0.0,
        hue: float | Sequence[float] = 0.0,
        p: float = 1.0,
    ) -> None:
        given = dict(brightness=brightness, contrast=contrast, saturation=saturation, hue=hue)
        self.ranges = jitter_ranges('PhotoJitter', **given)
        check_within(self, 0, 1, p=p)
        self.p = p

    def steps(self, keys: np.ndarray) -> list[Step]:
        factors, order = draw_jitter(keys, self.ranges)
        applied = draw_mask(keys, self.p)
        return [
            Step(applied & (done == operation), _CHANGES[operation], factors[:, operation, None])
            for done in order.T
            for operation, drawn in enumerate(self.ranges)
            if drawn is not None
        ]


@TRANSFORMS.register_module(name=['PhotoGrayscale', 'BatchGrayscale'])
class PhotoGrayscale(ColorTransform):
    """The luma in all channels, within 1 grey level of Pillow's, with probability ``p``: ``RandomGrayscale``."""

    def __init__(self, p: float = 0.2) -> None:
        check_within(self, 0, 1, p=p)
        self.p = p

    def steps(self, keys: np.ndarray) -> list[Step]:
        return [Step(draw_mask(keys, self.p), desaturate)]


@TRANSFORMS.register_module(name=['PhotoBlur', 'BatchBlur'])
class PhotoBlur(ColorTransform):
    """A Gaussian blur of random width (SimCLR, arXiv:2002.05709).

    Its filter is a Gaussian, cut off at three standard deviations. Pillow's, which the published code takes, is made of
    three box filters of the same variance, another shape: in photos up to about 10 grey levels apart at an edge, and
    less than 1 on average.

    Args:
        p: how often a photo is blurred.
        sigma: standard deviation ~ U(sigma[0], sigma[1]) pixels.
    """

    def __init__(self, p: float = 0.5, sigma: Sequence[float] = (0.1, 2.0)) -> None:
        check_within(self, 0, 1, p=p)
        self.p, self.sigma = p, check_pair(self, sigma, 'sigma')

    def steps(self, keys: np.ndarray) -> list[Step]:
        blurred, taps = draw_mask(keys, self.p), gaussian_taps(draw_sigma(keys, self.sigma))
        widths, most = np.count_nonzero(taps, axis=1), taps.shape[1]
        return [
            Step(blurred & (widths == width), blur, taps[:, (most - width) // 2 : (most + width) // 2])
            for width in np.unique(widths)
        ]


@TRANSFORMS.register_module(name=['PhotoSolarize', 'BatchSolarize'])
class PhotoSolarize(ColorTransform):
    """x -> 255 - x where x >= threshold, with probability ``p``: torchvision's ``RandomSolarize``, to the bit."""

    def __init__(self, threshold: float = 128, p: float = 0.5) -> None:
        check_within(self, 0, 256, threshold=threshold)
        check_within(self, 0, 1, p=p)
        self.threshold, self.p = threshold, p

    def steps(self, keys: np.ndarray) -> list[Step]:
        return [Step(draw_mask(keys, self.p), invert, np.full((len(keys), 1), self.threshold))]


@TRANSFORMS.register_module(name=['PhotoLighting', 'BatchLighting'])
class PhotoLighting(ColorTransform):
    """One random colour shift of all pixels, along the principal components of ImageNet's (AlexNet, 2012).

    The arguments are those of ``Lighting``, which does it to PIL images.
    """

    def __init__(self, alphastd: float = 0.1, as_released: bool = False) -> None:
        check_within(self, 0, math.inf, alphastd=alphastd)
        self.alphastd, self.as_released = alphastd, as_released

    def steps(self, keys: np.ndarray) -> list[Step]:
        shifts = draw_lighting(keys, self.alphastd)
        # pixels are whole: to round their sum is to round the shift
        levels = np.floor(shifts / 255) if self.as_released else np.rint(shifts)
        return [Step(np.ones(len(keys), dtype=bool), shift, levels)]
