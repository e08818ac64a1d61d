"""Colours and blur of photos as arrays, uint8 (H, W, 3), RGB, each with one counter key; see ``array_transforms``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from binssl.datasets.array_pixels import blur, brighten, contrast, desaturate, saturate, shift, solarize, turn_hue
from binssl.datasets.array_transforms import Photos, change_some
from binssl.datasets.draws import (
    check_probability,
    check_sigma,
    draw_jitter,
    draw_lighting,
    draw_mask,
    draw_sigma,
    gaussian_taps,
    jitter_ranges,
)
from binssl.datasets.views import ARRAY
from binssl.registry import TRANSFORMS, ConfigError

_CHANGES = (brighten, contrast, saturate, turn_hue)  # as draw_jitter counts them


@TRANSFORMS.register_module()
class PhotoJitter:
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

    takes = ARRAY

    def __init__(
        self,
        brightness: float | Sequence[float] = 0.0,
        contrast: float | Sequence[float] = 0.0,
        saturation: float | Sequence[float] = 0.0,
        hue: float | Sequence[float] = 0.0,
        p: float = 1.0,
    ) -> None:
        self.ranges = jitter_ranges('PhotoJitter', brightness, contrast, saturation, hue)
        check_probability('PhotoJitter', p)
        self.p = p

    def __call__(self, photos: Photos, keys: np.ndarray) -> Photos:
        """Changes some, by one uint64 key a photo."""
        factors, orders = draw_jitter(keys, self.ranges)
        drawn = zip(photos, draw_mask(keys, self.p).tolist(), factors.tolist(), orders.tolist(), strict=True)
        return (self._change(photo, own, order) if yes else photo for photo, yes, own, order in drawn)

    def _change(self, photo: np.ndarray, factors: Sequence[float], order: Sequence[int]) -> np.ndarray:
        for operation in order:
            if self.ranges[operation] is not None:
                photo = _CHANGES[operation](photo, factors[operation])
        return photo


@TRANSFORMS.register_module()
class PhotoGrayscale:
    """Three equal channels, the luma: torchvision's ``RandomGrayscale``; within 1 grey level of Pillow's ``L``.

    Args:
        p: how often.
    """

    takes = ARRAY

    def __init__(self, p: float = 0.2) -> None:
        check_probability('PhotoGrayscale', p)
        self.p = p

    def __call__(self, photos: Photos, keys: np.ndarray) -> Photos:
        """Changes some, by one uint64 key a photo."""
        return change_some(photos, draw_mask(keys, self.p), desaturate)


@TRANSFORMS.register_module()
class PhotoBlur:
    """A Gaussian blur of random width (SimCLR, arXiv:2002.05709).

    Its filter is a Gaussian, cut off at three standard deviations. Pillow's, which the published code takes, is made of
    three box filters of the same variance, another shape: in photos up to
    about 10 grey levels apart at an edge, and less than 1 on average.

    Args:
        p: how often a photo is blurred.
        sigma: standard deviation ~ U(sigma[0], sigma[1]) pixels.
    """

    takes = ARRAY

    def __init__(self, p: float = 0.5, sigma: Sequence[float] = (0.1, 2.0)) -> None:
        check_probability('PhotoBlur', p)
        self.p, self.sigma = p, check_sigma('PhotoBlur', sigma)

    def __call__(self, photos: Photos, keys: np.ndarray) -> Photos:
        """Changes some, by one uint64 key a photo."""
        taps = gaussian_taps(draw_sigma(keys, self.sigma))
        drawn = zip(photos, draw_mask(keys, self.p).tolist(), taps, strict=True)
        return (blur(photo, row[row > 0]) if yes else photo for photo, yes, row in drawn)


@TRANSFORMS.register_module()
class PhotoSolarize:
    """x -> 255 - x where x >= threshold: torchvision's ``RandomSolarize``, to the bit.

    Args:
        threshold: in grey levels.
        p: how often.
    """

    takes = ARRAY

    def __init__(self, threshold: float = 128, p: float = 0.5) -> None:
        check_probability('PhotoSolarize', p)
        if not 0 <= threshold <= 256:
            raise ConfigError(f'PhotoSolarize: threshold {threshold} must lie between 0 and 256, in grey levels')
        self.threshold, self.p = threshold, p

    def __call__(self, photos: Photos, keys: np.ndarray) -> Photos:
        """Changes some, by one uint64 key a photo."""
        return change_some(photos, draw_mask(keys, self.p), partial(solarize, threshold=self.threshold))


@TRANSFORMS.register_module()
class PhotoLighting:
    """One random colour shift of all pixels, along the principal components of ImageNet's (AlexNet, 2012).

    See ``Lighting``, which does it to PIL images.

    Args:
        alphastd: standard deviation of the shift along each component.
        as_released: without the factor of 255, and cut down instead of rounded, as the code of Bi-Real Net, ReActNet
            and ReCU does it.
    """

    takes = ARRAY

    def __init__(self, alphastd: float = 0.1, as_released: bool = False) -> None:
        if alphastd < 0:
            raise ConfigError(f'PhotoLighting: alphastd {alphastd} must not be negative')
        self.alphastd, self.as_released = alphastd, as_released

    def __call__(self, photos: Photos, keys: np.ndarray) -> Photos:
        """Shifts by one uint64 key a photo."""
        shifts = draw_lighting(keys, self.alphastd)
        # pixels are whole: to round their sum is to round the shift
        levels = np.floor(shifts / 255) if self.as_released else np.rint(shifts)
        return map(shift, photos, levels)
