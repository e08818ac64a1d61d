"""Colours and blur of photos as arrays, uint8 (H, W, 3), RGB, each with one counter key; see ``array_transforms``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from binssl.registry import TRANSFORMS
from binssl.views.array_pixels import blur, brighten, contrast, desaturate, saturate, shift, solarize, turn_hue
from binssl.views.array_transforms import Photos, change_some
from binssl.views.build import ARRAY
from binssl.views.draws import draw_jitter, draw_lighting, draw_mask, draw_sigma, gaussian_taps
from binssl.views.settings import BlurSettings, GrayscaleSettings, JitterSettings, LightingSettings, SolarizeSettings

_CHANGES = (brighten, contrast, saturate, turn_hue)  # as draw_jitter counts them


@TRANSFORMS.register_module()
class PhotoJitter(JitterSettings):
    """Brightness, contrast, saturation and hue of some photos: see :class:`JitterSettings`.

    Pixels are within 1 grey level of torchvision's (PIL) after brightness, contrast or saturation by a factor up to 2.
    The hue is exact, Pillow's goes by 256 steps: up to 15 grey levels apart in the most vivid colours, less than 1 on
    average in photos.
    """

    takes = ARRAY

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
class PhotoGrayscale(GrayscaleSettings):
    """Some photos without colours, within 1 grey level of Pillow's ``L``: see :class:`GrayscaleSettings`."""

    takes = ARRAY

    def __call__(self, photos: Photos, keys: np.ndarray) -> Photos:
        """Changes some, by one uint64 key a photo."""
        return change_some(photos, draw_mask(keys, self.p), desaturate)


@TRANSFORMS.register_module()
class PhotoBlur(BlurSettings):
    """Some photos blurred: see :class:`BlurSettings`."""

    takes = ARRAY

    def __call__(self, photos: Photos, keys: np.ndarray) -> Photos:
        """Changes some, by one uint64 key a photo."""
        taps = gaussian_taps(draw_sigma(keys, self.sigma))
        drawn = zip(photos, draw_mask(keys, self.p).tolist(), taps, strict=True)
        return (blur(photo, row[row > 0]) if yes else photo for photo, yes, row in drawn)


@TRANSFORMS.register_module()
class PhotoSolarize(SolarizeSettings):
    """Some photos with their bright levels inverted: see :class:`SolarizeSettings`."""

    takes = ARRAY

    def __call__(self, photos: Photos, keys: np.ndarray) -> Photos:
        """Changes some, by one uint64 key a photo."""
        return change_some(photos, draw_mask(keys, self.p), partial(solarize, threshold=self.threshold))


@TRANSFORMS.register_module()
class PhotoLighting(LightingSettings):
    """Photos with one colour shift each: see :class:`LightingSettings`."""

    takes = ARRAY

    def __call__(self, photos: Photos, keys: np.ndarray) -> Photos:
        """Shifts by one uint64 key a photo."""
        shifts = draw_lighting(keys, self.alphastd)
        # pixels are whole: to round their sum is to round the shift
        levels = np.floor(shifts / 255) if self.as_released else np.rint(shifts)
        return map(shift, photos, levels)
